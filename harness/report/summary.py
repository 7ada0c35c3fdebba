"""The verdict as Markdown, for a comment on a pull request or the summary of a CI step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.report import forest, headline
from harness.report.context import all_warnings
from harness.report.material import Material
from harness.report.sections import deciding
from harness.report.words import clean, interval, number, percent
from harness.types import RuleResult, RuleSet, Status, Summary

LONGEST = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
_CELL = 300
_SIGN = {"proved": "✅", "disproved": "❌", "open": "🔶", "invalid": "⚠️"}
_ORDER = {Status.INVALID: 0, Status.HOLD: 1, Status.INCONCLUSIVE: 2, Status.SHIP: 3}


def summary(material: Material, rules: RuleSet | None = None, longest: int = LONGEST) -> str:
    """Verdict, rules with what is not proved first, what would decide, metrics, warnings; at most
    about ``longest`` characters.

    What a model or a user named is escaped: it makes no link, no image, no mention and no HTML.
    """
    met = material.evidence.met
    warnings = all_warnings(material.run, material.verdict)
    head = headline.headline(material.verdict, warnings, None if met is None else met.reason)
    suite = str(material.manifest.get("suite") or "imported run")
    best = head.recommendation
    lines = [
        f"## {_SIGN[head.mark]} {head.word}: {md(suite)}",
        "",
        md(head.sentence),
        "",
        f"**Recommended: {md(best) if best is not None else 'none'}.** {md(head.why)}",
        "",
        *_rules(material, rules),
        *_deciding(material),
        *_warnings(head.warnings),
        *_metrics(material),
        f"Run fingerprint `{_code(material.manifest.get('fingerprint'))}`, "
        f"created {md(str(material.manifest.get('created') or 'not known'))}.",
    ]
    return _cut(lines, longest)


def _rules(material: Material, rules: RuleSet | None) -> Iterator[str]:
    met = material.evidence.met
    results: Sequence[RuleResult] = material.verdict.rules if met is None else met.rows
    about = material.rules if met is None else forest.target_rows(rules, material.manifest)
    if not results:
        return
    held = list(zip(results, forest.limits(results, about), strict=True))
    yield "| | condition | where | estimate | interval | n |"
    yield "|---|---|---|---:|---|---:|"
    for r, limit in sorted(held, key=lambda pair: (not pair[0].gating, _ORDER[pair[0].status])):
        word = forest.STATUS_WORD[r.status]
        signed = r.role != "guardrail"
        where = ", ".join(x for x in (r.task, r.slice) if x) or "every task"
        lost = f" ({r.n_unscored:,} unscored)" if r.n_unscored else ""
        lines = () if limit is None else (limit[0],)
        bounds = interval(r.ci_low, r.ci_high, signed=signed, limits=lines)
        yield (
            f"| {_SIGN[word]} {word}{'' if r.gating else ' (advisory)'} "
            f"| **{md(r.metric)}** {md(forest.demand(r.role, r.versus, r.margin, limit))} "
            f"| {md(where)} | {number(r.estimate, signed=signed)} "
            f"| {bounds}, {percent(r.ci_level)} | {r.n:,}{lost} |"
        )
    yield ""


def _deciding(material: Material) -> Iterator[str]:
    found = deciding.section(material)
    if not found:
        return
    yield "**What would decide**"
    yield ""
    for row in found:
        yield f"- {md(row.metric)} {md(row.demand)} ({md(row.where)}): {row.takes}. {md(row.why)}"
    yield ""


def _warnings(warnings: Sequence[str]) -> Iterator[str]:
    if not warnings:
        return
    yield f"**{len(warnings)} warning{'' if len(warnings) == 1 else 's'}**"
    yield ""
    for text in warnings:
        yield f"- {md(text)}"
    yield ""


def _metrics(material: Material) -> Iterator[str]:
    """Means by variant, folded away: the rules are what decides."""
    for task in dict.fromkeys(s.task for s in material.summaries):
        rows = [s for s in material.summaries if s.task == task]
        metrics = list(dict.fromkeys(s.metric for s in rows))
        found = {(s.variant, s.metric): s for s in rows}
        yield f"<details><summary>Metrics of task {md(task)}</summary>"
        yield ""
        yield "| variant | " + " | ".join(map(md, metrics)) + " |"
        yield "|---|" + "---:|" * len(metrics)
        for variant in dict.fromkeys(s.variant for s in rows):
            cells = [_mean(found.get((variant, m))) for m in metrics]
            yield f"| {md(variant)} | " + " | ".join(cells) + " |"
        yield ""
        yield "</details>"
        yield ""


def _mean(s: Summary | None) -> str:
    if s is None:
        return "not measured"
    lost = f", {s.n_unscored:,} unscored" if s.n_unscored else ""
    bounds = (
        "" if s.ci_low is None and s.ci_high is None else f"<br>{interval(s.ci_low, s.ci_high)}"
    )
    return f"{number(s.estimate)}{bounds}{lost}"


def md(text: str) -> str:
    """``text`` as Markdown that says just this, on one line."""
    shown = str(clean(text))
    shown = " ".join(shown.split())
    if len(shown) > _CELL:
        shown = f"{shown[:_CELL]} … ({len(shown):,} characters)"
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", shown)
    # A word joiner between: neither a mention nor a bare address becomes a link.
    return re.sub(r"(@|://|www\.)", lambda m: m[0][0] + "\u2060" + m[0][1:], shown)


def _code(value: object) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", str(value or "not known"))[:64]


def _cut(lines: Sequence[str], longest: int) -> str:
    """Whole lines up to the length that a comment may have, and a word where some are missing."""
    kept: list[str] = []
    size = 0
    for at, line in enumerate(lines):
        size += len(line) + 1
        if size > longest:
            kept.append(f"\n{len(lines) - at} more lines are in the report.")
            break
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n"
