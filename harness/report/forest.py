"""Intervals against their margins, as geometry for the templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.report.axis import Axis, Tick, axis
from harness.report.words import count, interval, number, plain_number, sentence
from harness.types import Role, RuleResult, RuleSet, Status

STATUS_WORD = {
    Status.SHIP: "proved",
    Status.HOLD: "disproved",
    Status.INCONCLUSIVE: "open",
    Status.INVALID: "invalid",
}


Limit = tuple[float, bool]
"""The line that decides, and whether the rule holds above it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval, in percent of the width; None: not drawn."""

    mark: str
    """Class that gives shape and colour: proved, disproved, open, invalid, better, worse, …"""
    low: float | None = None
    mid: float | None = None
    high: float | None = None
    zero: float | None = None
    margins: tuple[float, ...] = ()
    zone_from: float | None = None
    zone_width: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a forest plot: words, picture and numbers that say the same."""

    title: str
    demand: str
    where: tuple[str, ...]
    bar: Bar
    estimate: str
    interval: str
    n: str
    word: str
    note: str = ""
    gating: bool = True


@dataclass(frozen=True, slots=True)
class Forest:
    """Rows on one scale."""

    title: str
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    level: float
    details: tuple[Row, ...] = ()
    """Rows by slice, on the same scale."""
    definition: str = ""
    methods: tuple[tuple[str, str], ...] = ()
    """Each method of the intervals, and the rows that it made."""


# ------------------------------------------------------------------------------ rules


def rule_rows(rules: RuleSet | None, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules as mappings: those given, else those the run was measured with."""
    if rules is not None:
        return [asdict(rule) for rule in rules.rules]
    stored = manifest.get("rules")
    rows = stored.get("rule", stored.get("rules", [])) if isinstance(stored, Mapping) else []
    return [dict(row) for row in rows if isinstance(row, Mapping)]


def target_rows(rules: RuleSet | None, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The targets of the same rules."""
    if rules is not None:
        return [asdict(rule) for rule in rules.targets]
    rows = (manifest.get("rules") or {}).get("target") or []
    return [dict(row) for row in rows]


def demands(results: Sequence[RuleResult], rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each row asks, where there is nothing to draw."""
    held = zip(results, limits(results, rules), strict=True)
    return [f"{r.metric} {demand(r.role, r.versus, r.margin, limit)}" for r, limit in held]


def rule_forests(
    results: Sequence[RuleResult],
    rules: Sequence[Mapping[str, Any]],
    unit: Mapping[str, bool],
    owner: str = "the candidate",
) -> list[Forest]:
    """The verdict's rows, one forest a scale. ``unit``: metrics that run from 0 to 1."""
    groups: dict[tuple[str, float], list[tuple[RuleResult, Limit | None]]] = {}
    for result, limit in zip(results, limits(results, rules), strict=True):
        if result.role == "guardrail":
            title = f"{result.metric}: {owner}'s own value"
        elif unit.get(result.metric, False):
            title = "Candidate minus reference"
        else:
            title = f"{result.metric}: candidate minus reference"
        groups.setdefault((title, result.ci_level), []).append((result, limit))
    return [_rule_forest(title, level, rows) for (title, level), rows in groups.items()]


def _rule_forest(
    title: str, level: float, held: Sequence[tuple[RuleResult, Limit | None]]
) -> Forest:
    results, ends = [r for r, _ in held], [x for _, x in held]
    values: list[float | None] = [line for line, _ in (x for x in ends if x is not None)]
    for r in results:
        values += [r.estimate, r.ci_low, r.ci_high, None if r.role == "guardrail" else 0.0]
    scale = axis(values)
    rows = tuple(_rule_row(r, x, scale) for r, x in zip(results, ends, strict=True))
    return Forest(title, rows, scale.ticks, level)


def limits(results: Sequence[RuleResult], rules: Sequence[Mapping[str, Any]]) -> list[Limit | None]:
    """For each result the line that decides it; None: not known.

    A result does not carry a guardrail's limit. Two guardrails on one value (a least and a
    greatest) give their results in the order of the rules.
    """
    seen: Counter[tuple[str, str | None, str | None]] = Counter()
    found: list[Limit | None] = []
    for r in results:
        if r.role != "guardrail":
            sign = 1 if r.role == "superior" else -1
            found.append(None if r.margin is None else (sign * r.margin, True))
            continue
        fits = [x for x in rules if _is_about(x, r)]
        nth = seen[r.metric, r.task, r.slice]
        seen[r.metric, r.task, r.slice] += 1
        found.append(_guardrail_limit(fits[nth]) if nth < len(fits) else None)
    return found


def _is_about(rule: Mapping[str, Any], result: RuleResult) -> bool:
    return (
        rule.get("role") == "guardrail"
        and rule.get("metric") == result.metric
        and rule.get("task") in (None, result.task)
        and (rule.get("slice") is None) == (result.slice is None)
    )


def _guardrail_limit(rule: Mapping[str, Any]) -> Limit | None:
    key = "max" if rule.get("max") is not None else "min"
    return None if rule.get(key) is None else (float(rule[key]), key == "min")


def _rule_row(result: RuleResult, limit: Limit | None, scale: Axis) -> Row:
    signed = result.role != "guardrail"
    word = STATUS_WORD[result.status]
    where = [result.task or "every task"]
    if result.slice is not None:
        where.append(f"slice {result.slice}")
    if not result.gating:
        where.append("advisory, never decides")
    lines = () if limit is None else (limit[0],)
    note = sentence(result.reason)
    if result.more_samples is not None:
        # `reason` may say it already; a number said twice reads like two numbers.
        said = f"{result.more_samples}" in note.replace(",", "")
        more = f"About {count(result.more_samples, 'more sample')} would decide it."
        note = note if said else f"{note} {more}".strip()
    return Row(
        title=result.metric,
        demand=demand(result.role, result.versus, result.margin, limit),
        where=tuple(where),
        bar=draw(word, result.estimate, result.ci_low, result.ci_high, scale, limit, zero=signed),
        estimate=number(result.estimate, signed=signed),
        interval=interval(result.ci_low, result.ci_high, signed=signed, limits=lines),
        n=pairs(result.n, result.n_unscored),
        word=word,
        note=note,
        gating=result.gating,
    )


def demand(role: Role, versus: str | None, margin: float | None, limit: Limit | None) -> str:
    """What the rule asks, in words."""
    other = {None: "the reference", "best": "every variant without an adapter"}.get(versus, versus)
    if role == "guardrail":
        if limit is None:
            return "must stay inside its limit"
        return f"must stay at {'least' if limit[1] else 'most'} {plain_number(limit[0])}"
    if role == "superior":
        return f"must beat {other}" + (f" by more than {plain_number(margin)}" if margin else "")
    return f"must trail {other} by less than {plain_number(margin or 0.0)}"


def draw(
    mark: str,
    estimate: float | None,
    low: float | None,
    high: float | None,
    scale: Axis,
    limit: Limit | None = None,
    *,
    zero: bool = False,
) -> Bar:
    """An interval on ``scale``, with the line that decides and the zone where the rule holds."""
    line = None if limit is None else scale.at(limit[0])
    above = limit is not None and limit[1]
    # An open side runs to the edge of the picture.
    known = low is not None or high is not None
    return Bar(
        mark=mark,
        low=scale.at(low) if low is not None else 0.0 if known else None,
        mid=None if estimate is None else scale.at(estimate),
        high=scale.at(high) if high is not None else 100.0 if known else None,
        zero=scale.at(0.0) if zero else None,
        margins=() if line is None else (line,),
        zone_from=None if line is None else line if above else 0.0,
        zone_width=None if line is None else round(100 - line, 3) if above else line,
    )


def pairs(n: int, n_unscored: int) -> str:
    return f"n = {n:,}" + (f", {n_unscored:,} unscored" if n_unscored else "")
