"""One rule on one task, slice and reference: the evidence, and its status.

What a status means: ``docs/statistics.md``. Everything that a run cannot support ends in INVALID
with its reason; nothing here raises for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.compare.aligned import MetricInfo, TaskData
from harness.compare.pairs import own, pair, unpaired
from harness.gate.evidence import Evidence, from_own, from_pairs, from_unpaired
from harness.gate.validity import (
    Place,
    Stop,
    cautions,
    check_complete,
    check_counts,
    check_information,
    check_judge,
    check_same,
    checked_interval,
    cluster_caution,
    few_clusters,
    guessed_range,
    independent_cautions,
)
from harness.stats.more import further_samples
from harness.stats.scale import Scale
from harness.types import Interval, Rule, RuleResult, Status


@dataclass(frozen=True)
class Ruling:
    row: RuleResult
    warnings: tuple[str, ...] = ()
    question: Question | None = None
    """What the row decided; None where it was stopped before."""


@dataclass(frozen=True)
class Question:
    """Is the lower bound of the evidence above the threshold?"""

    evidence: Evidence
    threshold: float
    upper: bool = False
    """A guardrail's ``max``: is the *upper* bound of the evidence within the threshold?"""


def rule_on(
    rule: Rule, candidate: str, place: Place, alpha: float, *, sequential: bool = False
) -> Ruling:
    """Hold ``candidate`` to ``rule`` at ``place``, one-sided at ``alpha``.

    ``sequential``: with bounds that hold after every look.
    """
    info = metric_info(rule, place.task)
    if place.versus is None:
        return _guardrail(rule, candidate, place, alpha, info, sequential)
    decide = _independent if rule.pairing == "independent" else _comparison
    return decide(rule, candidate, place, alpha, info, sequential)


def metric_info(rule: Rule, task: TaskData) -> MetricInfo:
    """What is known of the rule's metric, with the range that the rule gives an imported one."""
    info = task.infos[rule.metric]
    if rule.bounds is None:
        return info
    ends = (info.scale.low, info.scale.high)
    return replace(info, scale=Scale(*rule.bounds, info.scale.binary and rule.bounds == ends))


def higher_is_better(rule: Rule, info: MetricInfo) -> bool:
    if info.higher_is_better is None:
        return rule.direction != "lower"
    return info.higher_is_better


# ---------------------------------------------------------------- against another variant


def _comparison(
    rule: Rule, candidate: str, place: Place, alpha: float, info: MetricInfo, sequential: bool
) -> Ruling:
    versus = str(place.versus)
    higher = higher_is_better(rule, info)
    pairs = pair(place.task, candidate, versus, info, higher=higher, keep=place.keep)
    evidence = from_pairs(pairs, cluster=rule.cluster, anytime=sequential)
    row = _blank(rule, place, alpha, evidence)

    def check() -> None:
        check_complete(place, info, (candidate, versus))
        check_same(place, candidate, pairs)
        check_counts(rule, row, place, evidence)
        check_judge(rule, info)
        check_information(evidence.known, pairs.identical)

    row, question = _difference(rule, row, evidence, place, check)
    cautioned = (*cautions(rule, candidate, place, pairs, row), *guessed_range(rule, row, info))
    return Ruling(row, (*cautioned, *few_clusters(row, evidence)), question)


def _independent(
    rule: Rule, candidate: str, place: Place, alpha: float, info: MetricInfo, sequential: bool
) -> Ruling:
    versus = str(place.versus)
    higher = higher_is_better(rule, info)
    sides = unpaired(place.task, candidate, versus, info, higher=higher, keep=place.keep)
    evidence = from_unpaired(sides, cluster=rule.cluster, anytime=sequential)
    row = _blank(rule, place, alpha, evidence)

    def check() -> None:
        check_complete(place, info, (candidate,), (versus,))
        if sides.owners is not None:
            # Answers would count as samples where it is decided whether Student's t may speak.
            raise Stop(
                Status.INVALID,
                "independent samples with several answers each have no bound here; measure with "
                "repeats = 1, or import the mean of each sample's answers",
            )
        check_counts(rule, row, place, evidence)
        check_judge(rule, info)
        check_information(evidence.known, None)

    row, question = _difference(rule, row, evidence, place, check)
    return Ruling(
        row, independent_cautions(rule, candidate, place, sides, evidence.known), question
    )


def _difference(
    rule: Rule, row: RuleResult, evidence: Evidence, place: Place, check: Callable[[], None]
) -> tuple[RuleResult, Question | None]:
    threshold = (rule.margin or 0.0) * (1 if rule.role == "superior" else -1)
    try:
        check()
        interval = checked_interval(evidence, row, place)
    except Stop as stop:
        return _stopped(rule, row, stop, evidence), None
    status = _status(interval.low > threshold, interval.high <= threshold)
    reason = _explain(status, rule, interval, threshold)
    more = None
    worst = -math.inf
    if row.n_unscored and status is Status.SHIP:
        worst = evidence.worst(row.alpha)
    if row.n_unscored and status is Status.SHIP and not worst > threshold:
        status, reason = _doubted(row, worst, f"above {threshold:.4g}")
    elif status is Status.INCONCLUSIVE:
        span = evidence.scale.span
        ends = (None, None) if span is None else (-span, span)
        more = _in_samples(
            further_samples(interval, threshold, ends, error=evidence.error()), evidence
        )
    row = replace(_filled(row, interval), status=status, reason=reason, more_samples=more)
    return row, Question(evidence, threshold)


# ------------------------------------------------------------------ the candidate's own value


def _guardrail(
    rule: Rule, candidate: str, place: Place, alpha: float, info: MetricInfo, sequential: bool
) -> Ruling:
    keep = place.keep
    if rule.pairing == "independent":
        # The other side's users never asked the candidate.
        mine = place.task.touched[place.task.row(candidate)]
        keep = mine if keep is None else mine & keep
    values, grouped, owners = own(place.task, candidate, info, keep)
    upper = rule.max is not None
    limit = float(rule.max if rule.max is not None else rule.min or 0.0)
    clusters = grouped if rule.cluster else None
    # A probe is made once, before the first look: to look at it again gives chance no second try.
    once = info.quantile is not None and place.task.probed is not None
    evidence = from_own(values, info, clusters, owners, anytime=sequential and not once)
    row = _blank(rule, place, alpha, evidence)
    try:
        check_complete(place, info, (candidate,))
        check_counts(rule, row, place, evidence)
        check_judge(rule, info)
        interval = checked_interval(evidence, row, place)
    except Stop as stop:
        return Ruling(_stopped(rule, row, stop, evidence))
    if upper:
        status = _status(interval.high <= limit, interval.low > limit)
    else:
        status = _status(interval.low >= limit, interval.high < limit)
    reason = _explain(status, rule, interval, limit)
    more = None
    worst = limit
    if row.n_unscored and status is Status.SHIP:
        worst = evidence.worst(alpha, upper=upper)
    # So said that NaN does not pass.
    if not (worst <= limit if upper else worst >= limit):
        status, reason = _doubted(row, worst, f"{'at most' if upper else 'at least'} {limit:g}")
    elif status is Status.INCONCLUSIVE:
        ends = (info.scale.low, info.scale.high)
        answers = further_samples(
            interval, limit, ends, quantile=info.quantile, error=evidence.error()
        )
        more = _in_samples(answers, evidence)
    row = replace(_filled(row, interval), status=status, reason=reason, more_samples=more)
    question = Question(evidence, limit, upper)
    cautioned = cluster_caution(rule, place, grouped, owners)
    return Ruling(row, (*cautioned, *few_clusters(row, evidence)), question)


# ---------------------------------------------------------------------- what both share


def _blank(rule: Rule, place: Place, alpha: float, evidence: Evidence) -> RuleResult:
    return RuleResult(
        metric=rule.metric,
        role=rule.role,
        task=place.task.name,
        slice=place.slice,
        versus=place.versus,
        margin=rule.margin,
        alpha=alpha,
        ci_level=1 - 2 * alpha,
        estimate=evidence.estimate(),
        ci_low=None,
        ci_high=None,
        n=evidence.n,
        n_unscored=evidence.n_unscored,
        status=Status.INVALID,
        gating=not rule.advisory,
        reason="",
    )


def _status(proved: bool, disproved: bool) -> Status:
    if proved:
        return Status.SHIP
    return Status.HOLD if disproved else Status.INCONCLUSIVE


def _explain(status: Status, rule: Rule, interval: Interval, threshold: float) -> str:
    verb = {Status.SHIP: "is proved", Status.HOLD: "is disproved"}.get(status, "is open")
    if rule.role == "guardrail":
        claim = f"value {'<=' if rule.max is not None else '>='} {threshold:g}"
    else:
        claim = f"difference > {threshold:g}"
    return f"{claim} {verb} ({interval.method})"


def _doubted(row: RuleResult, worst: float, needed: str) -> tuple[Status, str]:
    return (
        Status.INCONCLUSIVE,
        f"proved without the {row.n_unscored} unscored samples; with them at their worst the bound "
        f"is {worst:.4g} and must be {needed}: score them",
    )


def _filled(row: RuleResult, interval: Interval) -> RuleResult:
    return replace(
        row,
        estimate=interval.estimate,
        ci_low=interval.low if math.isfinite(interval.low) else None,
        ci_high=interval.high if math.isfinite(interval.high) else None,
    )


def _in_samples(answers: int | None, evidence: Evidence) -> int | None:
    """Further answers as further samples, each with as many answers as now."""
    # A mean is one of samples already; a quantile is one of answers.
    if answers is None or evidence.owners is None or evidence.quantile is None:
        return answers
    return math.ceil(answers * evidence.samples() / len(evidence.owners[0]))


def _stopped(rule: Rule, row: RuleResult, stop: Stop, evidence: Evidence) -> RuleResult:
    missing = max(0, rule.min_samples - evidence.samples(scored=True)) or None
    more = missing if stop.status is Status.INCONCLUSIVE else None
    return replace(row, status=stop.status, reason=str(stop), more_samples=more)
