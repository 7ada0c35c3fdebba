"""Which samples a report holds, where all of them would make it too large to open."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report.columns import Keys

if TYPE_CHECKING:
    from harness.store.runs import Run

_PROBE = 512
"""Samples that tell how many bytes one takes."""
_SEED = 0


def chosen(keys: Keys, budget: int, size: Callable[[Keys], int]) -> dict[tuple[str, str], int]:
    """All of ``keys`` where they fit into ``budget`` bytes, else a share drawn at random.

    ``size``: bytes that some samples take. The same run gives the same choice.
    """
    if len(keys) <= _PROBE:
        return dict(keys)
    each = size(share(keys, _PROBE)) / _PROBE
    fitting = int(budget / each)
    # What is nearly all of it may well fit; the caller looks.
    return dict(keys) if fitting >= 0.98 * len(keys) else share(keys, fitting)


def share(keys: Keys, n: int) -> dict[tuple[str, str], int]:
    """``n`` of ``keys``, drawn without regard to their answers, in their own order."""
    drawn = set(random.Random(_SEED).sample(range(len(keys)), n))
    kept = [key for at, key in enumerate(keys) if at in drawn]
    return {key: at for at, key in enumerate(kept)}


def write_rest(run: Run, left_out: frozenset[tuple[str, str]], path: Path) -> None:
    """The rows of the samples that are not in the report, with a column for each metric."""
    import pyarrow.parquet as pq

    from harness.store.wide import wide

    rows = wide(_only(run.outputs, left_out), _only(run.scores, left_out))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path, compression="zstd")


def _only(table: Any, keys: frozenset[tuple[str, str]]) -> Any:
    import pyarrow as pa

    names = (table["task"].to_pylist(), table["sample_id"].to_pylist())
    return table.filter(pa.array([key in keys for key in zip(*names, strict=True)], pa.bool_()))
