"""What judges said of each answer, from the run folder's ``judgments.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.report.columns import Keys
from harness.store.runs import Run, judgments_of

_SAID = ("metric", "judge", "repeat", "order", "value", "verdict", "rationale", "reason", "raw")

Judged = list[list[Any]]
"""[variant, metric, judge, repeat, order, value, verdict, rationale, reason] for each judgment."""


def judged_rows(run: Run, keys: Keys, variants: Sequence[str]) -> list[Judged] | None:
    """For each sample the judgments of its answers; None: the run has none."""
    table = judgments_of(run)
    if table is None:
        return None
    at = {v: i for i, v in enumerate(variants)}
    found: list[Judged] = [[] for _ in keys]
    for row in table.to_pylist():
        i, v = keys.get((row["task"], row["sample_id"])), at.get(row["variant"])
        if i is None or v is None:
            continue
        *said, rationale, reason, raw = (row[name] for name in _SAID)
        # A reply that could not be read is all the rationale there is.
        found[i].append([v, *said, rationale if rationale is not None else raw, reason])
    return found
