"""The verdict as Markdown: a step summary, and the one comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.cli._verdict import number
from harness.types import Comparison, RuleResult, Status, Verdict

SIGNS = {
    Status.SHIP: "✅",
    Status.HOLD: "⛔",
    Status.INCONCLUSIVE: "❔",
    Status.INVALID: "⚠️",
}
MOST_ROWS = 40
"""Of a table; a comment has a limit of 65,536 characters, and nobody reads more."""
MOST_WARNINGS = 10


def marker(suite: str) -> str:
    """The invisible line by which the comment is found again."""
    return f"<!-- harness:{suite.replace('--', '-')} -->"


def markdown(
    suite: str,
    verdict: Verdict,
    *,
    against: Sequence[Comparison] = (),
    drop: Verdict | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """``against``: the candidate now minus the blessed one; ``drop``: the verdict on that."""
    lines = [marker(suite), f"### {SIGNS[verdict.status]} {suite}: {verdict.status.value}", ""]
    lines += [_sentence(verdict), ""]
    if verdict.rules:
        lines += [*_rules(verdict.rules), ""]
    reasons = [_reason(row) for row in verdict.rules if row.status is not Status.SHIP]
    lines += [*_listed(reasons, MOST_ROWS), ""] if reasons else []
    if against:
        lines += ["**Against the blessed baseline** (same candidate, then and now)", ""]
        lines += [*_against(against), ""]
    if drop is not None:
        word = "not proved worse, nor proved as good" if drop.status is not Status.HOLD else "worse"
        said = "as good" if drop.status is Status.SHIP else word
        lines += [f"{SIGNS[drop.status]} Than the baseline: {said} ({drop.status.value}).", ""]
    warnings = [_cell(w) for w in verdict.warnings]
    if warnings:
        lines += ["<details><summary>Warnings</summary>", ""]
        lines += [*_listed(warnings, MOST_WARNINGS), "", "</details>", ""]
    if links:
        lines += [" · ".join(f"[{name}]({address})" for name, address in links), ""]
    return "\n".join(lines)


def _sentence(verdict: Verdict) -> str:
    candidate = _code(verdict.candidate) if verdict.candidate else "The candidate"
    said = {
        Status.SHIP: f"{candidate} may ship: every rule is proved.",
        Status.HOLD: f"{candidate} may not ship: a rule is disproved.",
        Status.INCONCLUSIVE: f"{candidate}: the samples are too few to decide.",
        Status.INVALID: f"{candidate}: the run cannot support the question.",
    }[verdict.status]
    if verdict.recommendation is not None and verdict.recommendation != verdict.candidate:
        said += f" The best system is {_code(verdict.recommendation)}."
    elif verdict.recommendation is None:
        said += " No variant is recommended."
    return said


def _code(name: str) -> str:
    return f"`{' '.join(name.split()).replace('`', chr(39))}`"


def _rules(rows: Sequence[RuleResult]) -> list[str]:
    head = ["", "rule", "task", "versus", "needed", "estimate", "interval", "n"]
    cells = [
        [
            SIGNS[row.status] + ("" if row.gating else " (advisory)"),
            f"{row.metric} {row.role}",
            " ".join(x for x in (row.task, row.slice) if x) or "-",
            row.versus or "-",
            _needed(row),
            number(row.estimate),
            _interval(row.ci_low, row.ci_high),
            f"{row.n:,}",
        ]
        for row in rows[:MOST_ROWS]
    ]
    return _table(head, cells, left=5, more=len(rows) - MOST_ROWS)


def _against(rows: Sequence[Comparison]) -> list[str]:
    head = ["task", "metric", "difference", "interval", "n"]
    cells = [
        [c.task, c.metric, number(c.estimate), _interval(c.ci_low, c.ci_high), f"{c.n:,}"]
        for c in rows[:MOST_ROWS]
    ]
    return _table(head, cells, left=2, more=len(rows) - MOST_ROWS)


def _table(
    head: Sequence[str], cells: Sequence[Sequence[str]], *, left: int, more: int
) -> list[str]:
    lines = [
        f"| {' | '.join(head)} |",
        f"|{'|'.join('---' if i < left else '---:' for i in range(len(head)))}|",
        *(f"| {' | '.join(_cell(c) for c in row)} |" for row in cells),
    ]
    return [*lines, "", f"… and {more} more rows, in the report."] if more > 0 else lines


def _listed(texts: Sequence[str], most: int) -> list[str]:
    lines = [f"- {text}" for text in texts[:most]]
    more = len(texts) - most
    return [*lines, f"- … and {more} more, in the report."] if more > 0 else lines


def _reason(row: RuleResult) -> str:
    where = " ".join(x for x in (row.task, row.slice, row.versus and f"vs {row.versus}") if x)
    text = f"{row.status.value}: {row.metric} {row.role} {where}: {row.reason}."
    if row.more_samples is not None:
        text += f" About {row.more_samples:,} more samples would decide."
    return _cell(text)


def _cell(text: Any) -> str:
    """What names and reasons hold is shown, never read as Markdown, HTML or a mention."""
    said = " ".join(str(text).split())
    for sign in "\\`*_[]<>|~#":
        said = said.replace(sign, f"\\{sign}")
    # A zero-width joiner: `@team` in somebody's sample must call nobody.
    return said.replace("@", "@\u2060")


def _needed(row: RuleResult) -> str:
    if row.margin is None:
        return "-"
    return f"> {row.margin if row.role == 'superior' else -row.margin:g}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None and high is None else f"{number(low)} to {number(high)}"
