"""Completions by workers of a Ray cluster, each with a ``LocalEngine`` of its own.

This process renders prompts and knows what the engine is; it loads no weights. Whatever stands
above (cache, resumption, stopping early) sees one more ``types.Engine``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.engines import batching, budget, room, sharding
from harness.engines.adapters import adapter_sha256
from harness.engines.local import LocalEngine
from harness.engines.ray_cluster import Cluster, Device
from harness.engines.ray_pool import Pool
from harness.engines.ray_worker import Proving, Spec, itemsize, shape
from harness.types import Completion, Forced, Likelihood, Message, Precision, Prompt, Request


class RayEngine:
    """``types.Engine`` over the base in ``folder``, which ``reference`` names on any machine.

    ``like``: another engine of the same run, whose workers this one shares. ``bases``: how many
    engines there will be, as each worker has to hold them all.
    """

    def __init__(
        self,
        reference: str,
        folder: Path,
        precision: Precision,
        *,
        weights_sha256: str,
        device: str = "auto",
        deterministic: bool = False,
        workers: int | None = None,
        bases: int = 1,
        like: RayEngine | None = None,
        say: Callable[[str], None] = lambda text: None,
        max_rows: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.folder = folder
        self._cluster: Cluster = like._cluster if like else Cluster()
        self._on: Device = like._on if like else self._cluster.device(device)
        # It only tokenises, wherever the workers compute.
        self._front = LocalEngine(
            folder,
            precision,
            weights_sha256=weights_sha256,
            device="cpu",
            deterministic=deterministic,
        )
        self._workers, self._bases = workers, bases
        self.pool: Pool = like.pool if like else Pool(self._cluster, self._layout, bases, say)
        self._spec = Spec(
            reference,
            folder.absolute(),
            weights_sha256,
            precision,
            self._on.kind,
            deterministic,
            tuple(self.identity.items()),
            max_rows,
            max_tokens,
        )
        self.pool.join(self)

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """That of the engines in the workers: an answer does not tell which process gave it."""
        return {**self._front.identity, "device": self._on.name}

    @property
    def device(self) -> str:
        return self._on.kind

    @property
    def context_length(self) -> int:
        return self._front.context_length

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        return self._front.prompts(conversations)

    def prove(self, adapter: str) -> Mapping[str, Any]:
        sha256 = adapter_sha256(Path(adapter))
        shard = sharding.Shard({adapter: Proving(adapter, sha256)})
        (proof,) = self._run("prove", [shard], {sha256: adapter})
        evidence: Mapping[str, Any] = proof.evidence
        return evidence

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        if requests:
            shards = sharding.cut(
                requests, self._most(len(requests)), group=batching.decoding, cost=_cost
            )
            yield from self._run("complete", shards, _adapters(requests))

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        if requests:
            shards = sharding.cut(
                requests, self._most(len(requests)), group=_forced_group, cost=_forced_cost
            )
            yield from self._run("likelihoods", shards, _adapters(requests))

    def close(self) -> None:
        """The workers let go of the model, and end with the last engine that used them."""
        self.pool.forget(self._spec)
        self.pool.leave(self)

    def _most(self, requests: int) -> int:
        return min(self.pool.most, requests)

    def _run(
        self, method: str, shards: Sequence[sharding.Shard[Any]], adapters: Mapping[str, str]
    ) -> Iterator[Any]:
        # Again where the engine was closed: what is asked next starts workers anew.
        self.pool.join(self)
        yield from self.pool.run(method, self._spec, shards, adapters)

    def _layout(self) -> room.Layout:
        token = budget.token_bytes(shape(self.folder), itemsize(self._spec))
        exact = self._spec.deterministic and self._spec.precision != "nf4"
        precision: Precision = "fp32" if exact else self._spec.precision
        need = self._bases * room.worker_bytes(
            room.parameters(self.folder), token, precision, self._on.kind
        )
        machines = self._cluster.machines()
        if self._on.kind == "cuda":
            return room.on_gpus(machines, need, self._on.memory, self._workers)
        return room.on_cpus(machines, need, self._workers)


def _adapters(requests: Sequence[Request | Forced]) -> dict[str, str]:
    """Hash to folder."""
    return {r.adapter_sha256: r.adapter for r in requests if r.adapter and r.adapter_sha256}


def _cost(request: Request) -> int:
    # A token that is written takes a pass of its own, one that is read shares it with the others.
    return batching.prompt_length(request) + 8 * request.max_new_tokens


def _forced_group(request: Forced) -> tuple[object, ...]:
    return request.adapter, request.adapter_sha256


def _forced_cost(request: Forced) -> int:
    return len(request.prompt.tokens or ()) + len(request.target) // 4
