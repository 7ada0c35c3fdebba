"""What judges said of each answer, from the run folder's ``judgments.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import RunError
from harness.report.columns import Keys

if TYPE_CHECKING:
    from harness.store.runs import Run

FILE = "judgments.parquet"
_KEYS = ("task", "sample_id", "variant")
_SAID = ("metric", "judge", "repeat", "order", "value", "verdict", "rationale", "reason", "raw")

Judged = list[list[Any]]
"""[variant, metric, judge, repeat, order, value, verdict, rationale, reason] for each judgment."""


def judged_rows(run: Run, keys: Keys, variants: Sequence[str]) -> list[Judged] | None:
    """For each sample the judgments of its answers; None: the run has none."""
    rows = _rows(run)
    if rows is None:
        return None
    at = {v: i for i, v in enumerate(variants)}
    found: list[Judged] = [[] for _ in keys]
    for row in rows:
        i, v = keys.get((row["task"], row["sample_id"])), at.get(row["variant"])
        if i is None or v is None:
            continue
        *said, rationale, reason, raw = (row.get(name) for name in _SAID)
        # A reply that could not be read is all the rationale there is.
        found[i].append([v, *said, rationale if rationale is not None else raw, reason])
    return found


def _rows(run: Run) -> list[dict[str, Any]] | None:
    held = getattr(run, "judgments", None)
    if held is not None:
        return list(held.to_pylist())
    path = None if run.path is None else run.path / FILE
    return _read(path) if path is not None and path.is_file() else None


def _read(path: Any) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"'{path}' cannot be read ({error}): the run is damaged.") from error
    if missing := [name for name in _KEYS if name not in table.column_names]:
        raise RunError(f"'{path}' lacks the columns {', '.join(missing)}: the run is damaged.")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
