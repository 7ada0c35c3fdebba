"""Every variant minus every other, for the table of metrics to show on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.axis import Axis, axis
from harness.report.differences import direction
from harness.report.forest import draw, pairs
from harness.report.variants import MetricTable
from harness.report.words import interval, number
from harness.types import Comparison

MOST_VARIANTS = 12
"""Beyond this many the pairs would be more than anybody reads; those of the candidate are shown."""


def baselines(
    tables: Sequence[MetricTable], comparisons: Sequence[Comparison]
) -> list[dict[str, Any]]:
    """For each table its cells by ``variant baseline metric``, as places in the table.

    A cell: estimate, interval, word, mark, n, and low, mid, high and zero in percent.
    """
    found = {(c.task, c.metric, c.candidate, c.versus): c for c in comparisons}
    return [{"rows": {} if table.costs else _rows(table, found)} for table in tables]


def _rows(
    table: MetricTable, found: Mapping[tuple[str, str, str, str], Comparison]
) -> dict[str, list[Any]]:
    names = [variant for variant, _ in table.rows]
    cells: dict[str, list[Any]] = {}
    for m, column in enumerate(table.columns):
        here = {
            (v, b): c
            for v, variant in enumerate(names)
            for b, baseline in enumerate(names)
            if (c := found.get((table.task, column.metric, variant, baseline))) is not None
        }
        # One scale a column, so that baselines can be compared by eye.
        ends = [x for c in here.values() for x in (c.estimate, c.ci_low, c.ci_high)]
        scale = axis([0.0, *ends], pad=0.04)
        cells |= {f"{v} {b} {m}": _cell(c, scale) for (v, b), c in here.items()}
    return cells


def _cell(c: Comparison, scale: Axis) -> list[Any]:
    word = direction(c.ci_low, c.ci_high)
    mark = word.split()[0]
    bar = draw(mark, c.estimate, c.ci_low, c.ci_high, scale, zero=True)
    said = (
        c.method
        if word == "no interval"
        else interval(c.ci_low, c.ci_high, signed=True, limits=(0.0,))
    )
    return [
        number(c.estimate, signed=True), said, word, mark, pairs(c.n, c.n_unscored),
        bar.low, bar.mid, bar.high, bar.zero,
    ]  # fmt: skip
