"""What would decide the conditions that are open, and what would make the invalid ones valid."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.forest import STATUS_WORD, demand, limits
from harness.report.material import Material
from harness.report.words import count, sentence
from harness.types import RuleResult, Status

TITLE = "What would decide"
CHAPTER = "verdict"


@dataclass(frozen=True, slots=True)
class Undecided:
    word: str
    metric: str
    demand: str
    where: str
    now: str
    takes: str
    why: str


def section(material: Material) -> tuple[Undecided, ...] | None:
    """None where nothing is undecided, or where the run ended before its rules were measured."""
    if material.evidence.met is not None:
        return None
    results = material.verdict.rules
    found = tuple(
        Undecided(
            word=STATUS_WORD[row.status],
            metric=row.metric,
            demand=demand(row.role, row.versus, row.margin, limit),
            where=", ".join(x for x in (row.task, row.slice) if x) or "every task",
            now=f"{row.n:,}",
            takes=_takes(row),
            why=sentence(row.reason),
        )
        for row, limit in zip(results, limits(results, material.rules), strict=True)
        if row.gating and row.status in (Status.INCONCLUSIVE, Status.INVALID)
    )
    return found or None


def _takes(row: RuleResult) -> str:
    if row.status is Status.INVALID:
        return "the cause removed"
    if row.more_samples is None:
        return "not known"
    return f"about {count(row.more_samples, 'more sample')}"
