"""How many workers a cluster has room for, from an estimate of what one needs: numbers only."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.types import Precision

BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "nf4": 0.8}
"""Of one weight. With nf4 embeddings and head stay at 2; 0.8 is that of a model of 135M weights,
and too much for larger ones."""
PACKED = 2.0
"""Of one weight that the engine lays out a second time, for a CPU's bfloat16."""
BATCH = {"cpu": 24_576, "mps": 24_576, "cuda": 262_144}
"""Tokens of a batch that is worth its while, by kind of device. With less room the engine takes
smaller ones, with more room larger ones."""
FIXED = 1 << 30
"""Interpreter, libraries, CUDA context, and the logits of a batch."""
SPARE = 0.9
"""Share of a device's memory that is planned with."""
CORES = 4
"""Of one worker on CPU, where nobody says how many workers there shall be."""
ON_ONE_GPU = 4
"""Most workers on one GPU, where nobody says: they share its arithmetic."""


@dataclass(frozen=True)
class Machine:
    """What one machine of the cluster has."""

    cpus: int
    gpus: int
    memory: int
    """Bytes."""


@dataclass(frozen=True)
class Layout:
    """How many workers, and what each is given."""

    workers: int
    cpus: int
    gpus: float = 0.0
    """Below 1: the part of a GPU."""


def parameters(folder: Path) -> int:
    """Weights of the model in ``folder``, by the headers of its safetensors files."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        total += sum(math.prod(tensor["shape"]) for tensor in header.values())
    return total


def worker_bytes(weights: int, token: int, precision: Precision, device: str) -> int:
    """What one worker may come to: weights, a full batch, and the rest.

    ``weights``: how many. ``token``: bytes that one token of a batch takes.
    """
    each = BYTES[precision]
    if device == "cpu" and precision in ("bf16", "nf4"):
        each += PACKED
    return math.ceil(weights * each + BATCH[device] * token + FIXED)


def on_gpus(
    machines: Sequence[Machine], need: int, memory: int, workers: int | None = None
) -> Layout:
    """Workers on GPUs of ``memory`` bytes, each with an equal part of one.

    One that needs more than a whole GPU gets a whole one: the engine halves its batches until
    they fit. Raises UsageError where so many ``workers`` do not fit.
    """
    gpus = sum(m.gpus for m in machines)
    fit = max(1, int(memory * SPARE) // need)
    if workers is None:
        each = min(fit, ON_ONE_GPU)
        count = sum(min(m.gpus * each, max(m.cpus, 1)) for m in machines if m.gpus)
    else:
        each, count = max(1, math.ceil(workers / gpus)), workers
        if each > fit:
            raise UsageError(
                f"--workers {workers}: {gpus} GPUs of {memory / 2**30:.0f} GiB have room for "
                f"{gpus * fit}, as one needs about {need / 2**30:.1f} GiB. Ask for fewer."
            )
    return Layout(count, 1, 1 / each)


def on_cpus(machines: Sequence[Machine], need: int, workers: int | None = None) -> Layout:
    """Workers on processors, each with an equal number of threads.

    Every machine has room for one, however small: only trying shows what a model really takes.
    Raises UsageError where so many ``workers`` do not fit.
    """
    machines = [m for m in machines if m.cpus]
    fit = [max(1, int(m.memory * SPARE) // need) for m in machines]
    if workers is None:
        mine = [min(f, max(1, m.cpus // CORES)) for f, m in zip(fit, machines, strict=True)]
        workers = sum(mine)
    if workers > sum(fit):
        raise UsageError(
            f"--workers {workers}: the memory has room for {sum(fit)}, as one needs about "
            f"{need / 2**30:.1f} GiB. Ask for fewer."
        )
    most = sum(m.cpus for m in machines)
    if workers > most:
        raise UsageError(
            f"--workers {workers}: there are {most} processor cores, and a worker needs one. "
            "Ask for fewer."
        )
    threads = max(m.cpus for m in machines)
    while sum(m.cpus // threads for m in machines) < workers:
        threads -= 1
    return Layout(workers, threads)
