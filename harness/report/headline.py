"""The verdict in one sentence, and why the recommended variant is recommended."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.words import count, joined, sentence
from harness.types import RuleResult, Status, Verdict


@dataclass(frozen=True, slots=True)
class Headline:
    word: str
    mark: str
    sentence: str
    candidate: str | None
    recommendation: str | None
    why: str
    tally: tuple[tuple[str, int], ...]
    """How many gating rows are proved, disproved, open and invalid; zeros left out."""
    warnings: tuple[str, ...]


NO_RECOMMENDATION = "No recommendation: "
"""How the gate's warning begins that says why; shown beside the word, not among the warnings."""

MARK = {
    Status.SHIP: "proved",
    Status.HOLD: "disproved",
    Status.INCONCLUSIVE: "open",
    Status.INVALID: "invalid",
}


def headline(
    verdict: Verdict, extra_warnings: tuple[str, ...] = (), needless: str | None = None
) -> Headline:
    """``needless``: the evidence that no adapter is needed, where the run stopped on it."""
    gating = [r for r in verdict.rules if r.gating]
    tally = tuple(
        (word, n) for status, word in MARK.items() if (n := sum(r.status is status for r in gating))
    )
    warnings = dict.fromkeys((*verdict.warnings, *extra_warnings))
    return Headline(
        word=verdict.status.value,
        mark=MARK[verdict.status],
        sentence=_sentence(verdict, gating) if needless is None else _capital(needless),
        candidate=verdict.candidate,
        recommendation=verdict.recommendation,
        why=_why(verdict) if needless is None else "Proved to meet every target of the rules.",
        tally=tally if needless is None else (),
        warnings=tuple(w for w in warnings if not w.startswith(NO_RECOMMENDATION)),
    )


def _sentence(verdict: Verdict, gating: list[RuleResult]) -> str:
    who = verdict.candidate or "The candidate"
    hit = [r for r in gating if r.status is verdict.status]
    if verdict.status is Status.SHIP:
        rules = "its one condition is" if len(hit) == 1 else f"all {len(hit)} conditions are"
        return f"{who} may ship: {rules} proved."
    if not gating:
        return "No rule decides, so no verdict can be given: unknown never passes a gate."
    share = f"{len(hit)} of {count(len(gating), 'condition')} {'is' if len(hit) == 1 else 'are'}"
    if verdict.status is Status.HOLD:
        return f"{who} must not ship: {share} disproved ({_metrics(hit)})."
    if verdict.status is Status.INVALID:
        return f"This run cannot support a verdict on {who}: {share} invalid ({_metrics(hit)})."
    needs = [r.more_samples for r in hit]
    more = ""
    if needs and all(n is not None for n in needs):
        most = max(n for n in needs if n is not None)
        more = f" About {count(most, 'more sample')} would decide."
    return f"The data do not decide whether {who} may ship: {share} open ({_metrics(hit)}).{more}"


def _capital(text: str) -> str:
    return sentence(text[:1].upper() + text[1:])


def _metrics(rows: list[RuleResult]) -> str:
    return joined(list(dict.fromkeys(r.metric for r in rows)))


def _why(verdict: Verdict) -> str:
    if verdict.recommendation is not None:
        return "The cheapest variant proved non-inferior, at the rules' margins, to every other."
    for warning in verdict.warnings:
        if warning.startswith(NO_RECOMMENDATION):
            return _capital(warning.removeprefix(NO_RECOMMENDATION))
    return "The run cannot support one; the warnings and rules say why."
