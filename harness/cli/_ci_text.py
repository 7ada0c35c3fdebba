"""The text of a step summary and of the one comment on a pull request: the report's summary, and
what is known of the base branch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.cli._verdict import interval, number
from harness.report.material import Material
from harness.report.summary import LONGEST, md, summary
from harness.types import Comparison, RuleSet, Status, Verdict

MOST_ROWS = 40
"""Of the table of differences to the base branch."""


def marker(suite: str) -> str:
    """The invisible line by which the comment is found again."""
    return f"<!-- harness:{suite.replace('--', '-')} -->"


def markdown(
    suite: str,
    material: Material,
    rules: RuleSet | None = None,
    *,
    against: Sequence[Comparison] = (),
    drop: Verdict | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """``against``: the candidate now minus the blessed one; ``drop``: the verdict on that."""
    more = "\n".join([*_against(against), *_drop(drop), *_links(links)])
    return f"{marker(suite)}\n{summary(material, rules, LONGEST - len(more))}{more}"


def _against(rows: Sequence[Comparison]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", "**Against the blessed baseline** (same candidate, then and now)", "")
    yield "| task | metric | difference | interval | n |"
    yield "|---|---|---:|---:|---:|"
    for c in rows[:MOST_ROWS]:
        bounds = interval(c.ci_low, c.ci_high)
        yield f"| {md(c.task)} | {md(c.metric)} | {number(c.estimate)} | {bounds} | {c.n:,} |"
    if len(rows) > MOST_ROWS:
        yield from ("", f"… and {len(rows) - MOST_ROWS} more rows.")


def _drop(verdict: Verdict | None) -> Iterator[str]:
    if verdict is None:
        return
    said = {Status.SHIP: "as good", Status.HOLD: "worse"}
    word = said.get(verdict.status, "not proved worse, nor proved as good")
    yield from ("", f"Than the baseline: {word} ({verdict.status.value}).")


def _links(links: Sequence[tuple[str, str]]) -> Iterator[str]:
    if links:
        yield from ("", " · ".join(f"[{md(name)}]({address})" for name, address in links))
