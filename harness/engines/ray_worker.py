"""What runs in each worker process of a Ray cluster: engines, opened when they are first asked."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import harness
from harness import models, sources
from harness.engines import adapters, budget, room, threads
from harness.engines.local import LocalEngine
from harness.errors import HarnessError, PreflightError, UsageError
from harness.sources.folders import cache_dir, locked, new_folder
from harness.types import Completion, Forced, Likelihood, Precision, Request

R = TypeVar("R", Request, Forced)

Files = Mapping[str, Any]
"""Hash of an adapter to a reference to its files in Ray's object store: name to bytes."""


@dataclass(frozen=True)
class Spec:
    """One engine, as the driver means it."""

    reference: str
    """Of the base, for a machine on which ``folder`` is not there."""
    folder: Path
    weights_sha256: str
    precision: Precision
    device: str
    deterministic: bool
    identity: tuple[tuple[str, str], ...]
    """What an engine here must say of itself."""
    max_rows: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Proving:
    """An adapter to prove. ``key``: its folder on the driver's machine."""

    key: str
    sha256: str


@dataclass(frozen=True)
class Proof:
    key: str
    evidence: Mapping[str, Any]


class Worker:
    """One process. ``threads``: of the processor; ``share``: of a GPU, 0 without one; ``bases``:
    how many it will hold."""

    def __init__(self, threads: int, share: float, bases: int) -> None:
        self._threads, self._share, self._bases = threads, share, bases
        self._engines: dict[Spec, LocalEngine] = {}

    def about(self) -> dict[str, Any]:
        """Who this is."""
        import ray

        return {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "node": ray.get_runtime_context().get_node_id(),
            "versions": versions(),
        }

    def complete(
        self, spec: Spec, requests: Sequence[Request], files: Files
    ) -> Iterator[Completion]:
        # Not `yield from`: Ray sends values into this generator, which a list's iterator refuses.
        for answer in self._engine(spec).complete([self._here(r, files) for r in requests]):  # noqa: UP028
            yield answer

    def likelihoods(
        self, spec: Spec, requests: Sequence[Forced], files: Files
    ) -> Iterator[Likelihood]:
        for answer in self._engine(spec).likelihoods([self._here(r, files) for r in requests]):  # noqa: UP028
            yield answer

    def prove(self, spec: Spec, requests: Sequence[Proving], files: Files) -> Iterator[Proof]:
        engine = self._engine(spec)
        for one in requests:
            folder = adapter_here(one.key, one.sha256, files)
            yield Proof(one.key, dict(engine.prove(str(folder))))

    def close(self, spec: Spec) -> None:
        """Let go of this engine's model."""
        if spec in self._engines:
            self._engines.pop(spec).close()

    def _here(self, request: R, files: Files) -> R:
        """The request with the adapter's folder on this machine."""
        if request.adapter is None:
            return request
        folder = adapter_here(request.adapter, request.adapter_sha256, files)
        return replace(request, adapter=str(folder))

    def _engine(self, spec: Spec) -> LocalEngine:
        if spec not in self._engines:
            # As many as Ray was asked for, and no other number: the rest belongs to others.
            os.environ["OMP_NUM_THREADS"] = str(self._threads)
            torch = models.require_torch()
            torch.set_num_threads(self._threads)
            if spec.device == "cuda" and self._share < 1:
                # So that memory runs out here, where batches are halved, and not next door.
                torch.cuda.set_per_process_memory_fraction(self._share)
            self._engines[spec] = opened(spec, self._part() / self._bases)
        return self._engines[spec]

    def _part(self) -> float:
        """Of the device's memory."""
        return self._share or min(1.0, self._threads / threads.available())


def versions() -> dict[str, str]:
    """Of everything that can change an answer or what a request means."""
    own = {"shipworthy": harness.__version__, "python": platform.python_version()}
    return own | models.versions()


def opened(spec: Spec, part: float = 1.0) -> LocalEngine:
    """The engine on this machine, with that ``part`` of the free memory.

    Raises UsageError where it is not the one that is meant."""
    folder = _base(spec)
    engine = LocalEngine(
        folder,
        spec.precision,
        weights_sha256=sources.weights_sha256(folder),
        device=spec.device,
        deterministic=spec.deterministic,
        max_rows=spec.max_rows,
        max_tokens=spec.max_tokens or _batch(spec, folder, part),
    )
    other = differences(dict(spec.identity), engine.identity)
    if other:
        raise UsageError(
            f"A worker on {socket.gethostname()} would not give the answers of this run: {other}. "
            "Every machine of the cluster needs the same weights, packages and kind of device "
            "(docs/ray.md)."
        )
    return engine


def shape(folder: Path) -> Any:
    """The configuration of the base's decoder, without its weights."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    return config.get_text_config(decoder=True)


def itemsize(spec: Spec) -> int:
    """Bytes of a number that the engine computes with."""
    return 4 if spec.deterministic or spec.precision == "fp32" else 2


def _batch(spec: Spec, folder: Path, part: float) -> int:
    """Tokens of one batch: an engine alone would plan with all that is free."""
    weights = int(room.parameters(folder) * room.BYTES[spec.precision])
    free = int(budget.free_bytes(spec.device) * part) - weights
    return budget.tokens(shape(folder), itemsize(spec), max(free, 0), spec.device)


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """What is not the same, in words; empty where all is."""
    keys = [k for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)]
    return ", ".join(f"{k} is {theirs.get(k)} there and {ours.get(k)} here" for k in keys)


def _base(spec: Spec) -> Path:
    """A folder with the base's weights: the driver's where it is here too, else fetched."""
    try:
        if sources.weights_sha256(spec.folder) == spec.weights_sha256:
            return spec.folder
    except (HarnessError, OSError):
        pass
    return sources.model_folder(spec.reference)


def adapter_here(folder: str, sha256: str | None, files: Files) -> Path:
    """A folder on this machine with the adapter of that hash: the driver's own, or a copy."""
    found = Path(folder)
    if sha256 is None or _holds(found, sha256):
        return found
    copy = cache_dir() / "received" / sha256 / "adapter"
    if copy.is_dir():
        return copy
    if sha256 not in files:
        raise PreflightError(
            f"The adapter in {folder} changed while the run was under way. Run again, and leave "
            "the folder alone meanwhile."
        )
    import ray

    with locked(copy.parent):
        # Another worker of this machine may have written it while this one waited.
        if not copy.is_dir():
            with new_folder(copy) as new:
                for name, content in ray.get(files[sha256]).items():
                    (new / name).write_bytes(content)
    return copy


def _holds(folder: Path, sha256: str) -> bool:
    try:
        return adapters.adapter_sha256(folder) == sha256
    except (HarnessError, OSError):
        return False


def adapter_files(folder: Path) -> dict[str, bytes]:
    """The files that make an adapter what it is, and its card."""
    names = [path.name for path in sorted(folder.glob("*.safetensors"))]
    names += [n for n in ("config.json", adapters.CONFIG, adapters.CARD) if (folder / n).is_file()]
    return {name: (folder / name).read_bytes() for name in names}
