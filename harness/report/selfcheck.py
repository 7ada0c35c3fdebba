"""The gate held to its own promise: how often it is simulated, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.axis import Axis, axis
from harness.report.forest import Bar, Limit, demand, draw, limits
from harness.report.words import joined, percent

if TYPE_CHECKING:
    from harness.gate import Checked
    from harness.store.runs import Run
    from harness.types import RuleResult, RuleSet

REPETITIONS = (500, 200)
"""Fewer than ``harness gate --self-check`` makes, as a report is waited for."""
_QUICK, _PATIENT = 4_000_000, 20_000_000
"""Counts drawn in about a second, and the most that a report waits for."""
_KINDS = 4096
"""Samples that are not clustered are drawn by their distinct values, and those are binned."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    metric: str
    demand: str
    where: str
    gating: bool
    alpha: str
    false_ship: str
    power: str
    mark: str
    word: str
    """``kept``, ``broken`` or ``not simulated``."""
    note: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class SelfCheck:
    rows: tuple[CheckRow, ...]
    drawn: str
    """How often, and how exact that is."""
    chance: str
    """Of all rules together; empty: not known."""


def repetitions(
    run: Run, rows: Sequence[RuleResult], rules: RuleSet | None, *, sequential: bool = False
) -> int | None:
    """As many as take about a second, and at least 200; None: those would take too long.

    By the size of the run alone, so that the same run gives the same report.
    """
    work = _units(run, rows, rules, sequential=sequential)
    fits = [n for n in REPETITIONS if n * work <= _QUICK]
    least = REPETITIONS[-1]
    return fits[0] if fits else least if least * work <= _PATIENT else None


def _units(run: Run, rows: Sequence[RuleResult], rules: RuleSet | None, *, sequential: bool) -> int:
    """What one repetition of all rows draws."""
    clusters = _clusters(run, {row.task for row in rows})
    about = run.manifest.get("sequential") or {}
    batches = len(run.manifest.get("batches") or ())
    looks = about.get("looks") or max(batches, 10) if sequential else 1
    apart = {r.metric for r in (rules.rules if rules else ()) if r.pairing == "independent"}
    total = 0
    for row in rows:
        units = min(row.n, clusters.get(row.task) or _KINDS) * looks
        # Independent sides are drawn one value at a time, both of them, twice.
        total += 4 * row.n if row.metric in apart else units
    return total


def _clusters(run: Run, tasks: Iterable[str | None]) -> dict[str | None, int]:
    # Table.group_by would load pandas.
    import pyarrow.compute as pc

    outputs = run.outputs
    if outputs["cluster"].null_count == len(outputs):
        return {}
    return {
        task: pc.count_distinct(outputs["cluster"].filter(pc.equal(outputs["task"], task))).as_py()
        for task in tasks
        if task is not None
    }


def self_check_section(
    checked: Sequence[Checked], rules: Sequence[Mapping[str, Any]]
) -> SelfCheck | None:
    """None where no rule was decided, so that there is nothing to hold the gate to."""
    from harness.gate import joint_power

    if not any(c.false_ship is not None or c.power is not None for c in checked):
        return None
    found = limits([c.row for c in checked], rules)
    top = max([2 * c.row.alpha for c in checked] + [c.false_ship or 0.0 for c in checked])
    scale = axis([0.0, top], pad=0.04)
    rows = tuple(_row(c, limit, scale) for c, limit in zip(checked, found, strict=True))
    chance = joint_power(checked)
    return SelfCheck(rows, _drawn(checked), "" if chance is None else _chance(*chance))


def _row(checked: Checked, limit: Limit | None, scale: Axis) -> CheckRow:
    row, rate, error = checked.row, checked.false_ship, checked.error
    # Without draws the rate is exact, and there is nothing to allow for.
    kept = checked.holds if checked.holds is not None or rate is None else rate <= row.alpha
    mark, word = ("plain", "not simulated")
    if kept is not None:
        mark, word = ("proved", "kept") if kept else ("disproved", "broken")
    allowance = 3 * error if error is not None and checked.repetitions else 0.0
    low, high = (None, None) if rate is None else (max(0.0, rate - allowance), rate + allowance)
    return CheckRow(
        metric=row.metric,
        demand=demand(row.role, row.versus, row.margin, limit),
        where=", ".join(x for x in (row.task, row.slice) if x) or "every task",
        gating=row.gating,
        alpha=percent(row.alpha),
        false_ship=_share(rate),
        power=_share(checked.power),
        mark=mark,
        word=word,
        note=checked.note,
        bar=draw(mark, rate, low, high, scale, (row.alpha, False)),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _drawn(checked: Sequence[Checked]) -> str:
    drawn = {
        f"{c.repetitions:,} times, which tells a rate of {percent(c.row.alpha)} to within "
        f"{200 * c.error:.1f} points"
        for c in checked
        if c.error is not None and c.false_ship is not None
    }
    return f"Drawn {joined(sorted(drawn))} (two standard errors)." if drawn else ""


def _chance(low: float, high: float) -> str:
    ends = _share(low), _share(high)
    chance = f"of {ends[0]}" if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]}"
    return (
        f"A new run of this size, if the data are as here, keeps every rule with chance {chance}."
    )
