"""How many workers there is room for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.engines.room import BATCH, Layout, Machine, on_cpus, on_gpus, parameters, worker_bytes
from harness.errors import UsageError

GIB = 1 << 30


def test_a_worker_needs_weights_a_batch_and_the_rest() -> None:
    assert worker_bytes(7_000_000_000, 0, "bf16", "cuda") == 14_000_000_000 + GIB
    assert worker_bytes(0, 100, "bf16", "cuda") == 100 * BATCH["cuda"] + GIB
    fp32, bf16, nf4 = (worker_bytes(10**9, 100, p, "cuda") for p in ("fp32", "bf16", "nf4"))
    assert fp32 > bf16 > nf4
    assert worker_bytes(10**9, 0, "bf16", "cpu") == 4 * 10**9 + GIB, "packed beside it"


def test_weights_are_counted_in_the_headers(tmp_path: Path) -> None:
    for name, shapes in (("a", [[3, 4], [5]]), ("b", [[2, 2, 2]])):
        header = {f"t{i}": {"dtype": "F32", "shape": shape} for i, shape in enumerate(shapes)}
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        (tmp_path / f"{name}.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert parameters(tmp_path) == 12 + 5 + 8


@pytest.mark.parametrize(
    ("machines", "need", "workers", "expected"),
    [
        ([Machine(2, 0, 24 * GIB)], 3, None, Layout(1, 2)),
        ([Machine(2, 0, 24 * GIB)], 3, 2, Layout(2, 1)),
        ([Machine(32, 0, 64 * GIB)], 3, None, Layout(8, 4)),
        ([Machine(32, 0, 64 * GIB)], 3, 3, Layout(3, 10)),
        # The memory holds three; no machine is too small for one.
        ([Machine(32, 0, 10 * GIB)], 3, None, Layout(3, 10)),
        ([Machine(32, 0, 2 * GIB)], 3, None, Layout(1, 32)),
        # A head without processors takes no part.
        ([Machine(0, 0, GIB), Machine(8, 0, 64 * GIB), Machine(4, 0, 9 * GIB)], 3, None, None),
    ],
)
def test_workers_on_processors(
    machines: list[Machine], need: int, workers: int | None, expected: Layout | None
) -> None:
    assert on_cpus(machines, need * GIB, workers) == (expected or Layout(3, 4))


def test_more_workers_than_cores_or_memory_are_refused() -> None:
    with pytest.raises(UsageError, match="2 processor cores"):
        on_cpus([Machine(2, 0, 64 * GIB)], GIB, 3)
    with pytest.raises(UsageError, match="memory has room for 2"):
        on_cpus([Machine(8, 0, 7 * GIB)], 3 * GIB, 3)


@pytest.mark.parametrize(
    ("need", "workers", "expected"),
    [
        (8, None, Layout(8, 1, 1 / 4)),
        (30, None, Layout(4, 1, 1 / 2)),
        (60, None, Layout(2, 1, 1.0)),
        (200, None, Layout(2, 1, 1.0)),
        (8, 12, Layout(12, 1, 1 / 6)),
        (8, 1, Layout(1, 1, 1.0)),
    ],
)
def test_workers_on_gpus(need: int, workers: int | None, expected: Layout) -> None:
    machines = [Machine(16, 1, 64 * GIB), Machine(16, 1, 64 * GIB), Machine(8, 0, 64 * GIB)]
    assert on_gpus(machines, need * GIB, 80 * GIB, workers) == expected


def test_more_workers_than_the_gpus_hold_are_refused() -> None:
    with pytest.raises(UsageError, match="room for 4"):
        on_gpus([Machine(16, 2, 64 * GIB)], 30 * GIB, 80 * GIB, 5)
