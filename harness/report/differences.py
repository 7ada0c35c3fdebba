"""The candidate against each other variant: one picture a metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.report.axis import Axis, axis
from harness.report.forest import Bar, Forest, Row, draw, pairs
from harness.report.words import interval, joined, number
from harness.types import Comparison


def difference_forests(
    comparisons: Sequence[Comparison],
    rules: Sequence[Mapping[str, Any]],
    has_adapter: Mapping[str, bool | None],
    definitions: Mapping[tuple[str, str], str],
) -> dict[str, list[Forest]]:
    """Task -> one forest a metric: the candidate against each other variant, slices apart."""
    groups: dict[str, dict[str, list[Comparison]]] = {}
    for c in comparisons:
        groups.setdefault(c.task, {}).setdefault(c.metric, []).append(c)
    return {
        task: [
            _difference_forest(rows, rules, has_adapter, definitions.get((task, metric), ""))
            for metric, rows in metrics.items()
        ]
        for task, metrics in groups.items()
    }


def _difference_forest(
    rows: Sequence[Comparison],
    rules: Sequence[Mapping[str, Any]],
    has_adapter: Mapping[str, bool | None],
    definition: str,
) -> Forest:
    margins = [_margins(c, rules, has_adapter) for c in rows]
    values: list[float | None] = [0.0, *(m for found in margins for m in found)]
    for c in rows:
        values += [c.estimate, c.ci_low, c.ci_high]
    scale = axis(values)
    drawn = [_difference_row(c, m, scale) for c, m in zip(rows, margins, strict=True)]
    whole = tuple(r for r, c in zip(drawn, rows, strict=True) if c.slice is None)
    parts = tuple(r for r, c in zip(drawn, rows, strict=True) if c.slice is not None)
    methods = grouped((c.method, c.versus) for c in rows)
    return Forest(rows[0].metric, whole, scale.ticks, rows[0].ci_level, parts, definition, methods)


def grouped(named: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Each first word once, with all its second words."""
    found: dict[str, dict[str, None]] = {}
    for key, name in named:
        found.setdefault(key, {})[name] = None
    return tuple((key, joined(list(names))) for key, names in found.items())


def direction(low: float | None, high: float | None) -> str:
    """What an interval says of zero: ``better``, ``worse``, ``unclear`` or ``no interval``."""
    if low is None and high is None:
        return "no interval"
    if low is not None and low > 0:
        return "better"
    return "worse" if high is not None and high < 0 else "unclear"


def oriented(c: Comparison, *, lower: bool) -> Comparison:
    """An imported metric counts as higher-is-better until the rules say otherwise."""
    if not lower:
        return c

    def flip(value: float | None) -> float | None:
        return None if value is None else -value

    return replace(c, estimate=flip(c.estimate), ci_low=flip(c.ci_high), ci_high=flip(c.ci_low))


def _margins(
    c: Comparison, rules: Sequence[Mapping[str, Any]], has_adapter: Mapping[str, bool | None]
) -> tuple[float, ...]:
    found = set()
    for rule in rules:
        versus, margin = rule.get("versus"), rule.get("margin")
        against = versus == c.versus or (versus == "best" and not has_adapter.get(c.versus))
        if not against or margin is None or rule.get("metric") != c.metric:
            continue
        if rule.get("task") in (None, c.task):
            found.add(float(margin) if rule.get("role") == "superior" else -float(margin))
    return tuple(sorted(found))


def _difference_row(c: Comparison, margins: tuple[float, ...], scale: Axis) -> Row:
    word = direction(c.ci_low, c.ci_high)
    bar = draw(word.split()[0], c.estimate, c.ci_low, c.ci_high, scale, zero=True)
    return Row(
        title=c.versus,
        demand="",
        where=() if c.slice is None else (c.slice,),
        bar=Bar(bar.mark, bar.low, bar.mid, bar.high, bar.zero, tuple(map(scale.at, margins))),
        estimate=number(c.estimate, signed=True),
        interval=interval(c.ci_low, c.ci_high, signed=True, limits=(0.0, *margins)),
        n=pairs(c.n, c.n_unscored),
        word=word,
        note=c.method if word == "no interval" else "",
    )
