"""One rule on one task, slice and reference: the evidence, and its status.

What a status means: ``docs/statistics.md``. Everything that a run cannot support ends in INVALID
with its reason; nothing here raises for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.compare.aligned import Bools, MetricInfo, TaskData
from harness.compare.pairs import own, pair
from harness.gate.validity import (
    Evidence,
    Place,
    Stop,
    cautions,
    check_counts,
    check_information,
    check_judge,
    check_same,
    checked_interval,
    cluster_caution,
    few_differences,
)
from harness.stats.intervals import Scale, difference_interval, own_interval
from harness.stats.missing import worst_difference_low, worst_own_bound
from harness.stats.more import further_samples
from harness.types import Interval, Rule, RuleResult, Status


@dataclass(frozen=True)
class Ruling:
    row: RuleResult
    warnings: tuple[str, ...] = ()


def rule_on(rule: Rule, candidate: str, place: Place, alpha: float) -> Ruling:
    """Hold ``candidate`` to ``rule`` at ``place``, one-sided at ``alpha``."""
    decide = _guardrail if place.versus is None else _comparison
    return decide(rule, candidate, place, alpha, metric_info(rule, place.task))


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


def _comparison(rule: Rule, candidate: str, place: Place, alpha: float, info: MetricInfo) -> Ruling:
    versus = str(place.versus)
    higher = higher_is_better(rule, info)
    pairs = pair(place.task, candidate, versus, info, higher=higher, keep=place.keep)
    both, scale = (pairs.candidate, pairs.reference), pairs.scale
    # Answers to one sample are never independent, whatever is said of documents.
    clusters = pairs.clusters if rule.cluster else pairs.owners
    evidence = Evidence(
        both,
        scale,
        clusters,
        pairs.owners,
        lambda: difference_interval(*both, scale, alpha, clusters),
    )
    row = _blank(rule, place, alpha, evidence.scored)
    if row.n:
        row = replace(row, estimate=float((both[0] - both[1])[evidence.scored].mean()))
    threshold = (rule.margin or 0.0) * (1 if rule.role == "superior" else -1)
    try:
        check_same(place, candidate, pairs)
        check_counts(rule, row, place, evidence)
        check_judge(rule, info)
        check_information(pairs, evidence.scored)
        interval = checked_interval(evidence, row)
    except Stop as stop:
        stopped = _stopped(rule, row, stop, evidence)
        return Ruling(stopped, cautions(rule, candidate, place, pairs, row))
    status = _status(interval.low > threshold, interval.high <= threshold)
    reason = _explain(status, rule, interval, threshold)
    more = None
    worst = -math.inf
    if row.n_unscored and status is Status.SHIP:
        worst = worst_difference_low(*both, scale, alpha, clusters)
    if row.n_unscored and status is Status.SHIP and not worst > threshold:
        status, reason = _doubted(row, worst, f"above {threshold:.4g}")
    elif status is Status.INCONCLUSIVE:
        ends = (None, None) if scale.span is None else (-scale.span, scale.span)
        more = _in_samples(further_samples(interval, threshold, ends), evidence)
    row = replace(_filled(row, interval), status=status, reason=reason, more_samples=more)
    few = few_differences(interval, pairs)
    return Ruling(row, (*cautions(rule, candidate, place, pairs, row), *few))


# ------------------------------------------------------------------ the candidate's own value


def _guardrail(rule: Rule, candidate: str, place: Place, alpha: float, info: MetricInfo) -> Ruling:
    values, grouped, owners = own(place.task, candidate, info, place.keep)
    clusters = grouped if rule.cluster else owners
    upper = rule.max is not None
    limit = float(rule.max if rule.max is not None else rule.min or 0.0)
    evidence = Evidence(
        (values,),
        info.scale,
        clusters,
        owners,
        lambda: own_interval(values, info.scale, alpha, clusters, info.quantile),
    )
    row = _blank(rule, place, alpha, evidence.scored)
    if row.n and info.quantile is None:
        row = replace(row, estimate=float(values[evidence.scored].mean()))
    try:
        check_counts(rule, row, place, evidence)
        check_judge(rule, info)
        interval = checked_interval(evidence, row, quantile=info.quantile)
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
        worst = worst_own_bound(values, info.scale, alpha, clusters, info.quantile, upper=upper)
    if (worst > limit) if upper else (worst < limit):
        status, reason = _doubted(row, worst, f"{'at most' if upper else 'at least'} {limit:g}")
    elif status is Status.INCONCLUSIVE:
        ends = (info.scale.low, info.scale.high)
        more = _in_samples(further_samples(interval, limit, ends, quantile=info.quantile), evidence)
    row = replace(_filled(row, interval), status=status, reason=reason, more_samples=more)
    return Ruling(row, cluster_caution(rule, place, grouped, owners))


# ---------------------------------------------------------------------- what both share


def _blank(rule: Rule, place: Place, alpha: float, scored: Bools) -> RuleResult:
    return RuleResult(
        metric=rule.metric,
        role=rule.role,
        task=place.task.name,
        slice=place.slice,
        versus=place.versus,
        margin=rule.margin,
        alpha=alpha,
        ci_level=1 - 2 * alpha,
        estimate=None,
        ci_low=None,
        ci_high=None,
        n=int(scored.sum()),
        n_unscored=int((~scored).sum()),
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
    if answers is None or evidence.owners is None:
        return answers
    return math.ceil(answers * evidence.samples() / len(evidence.owners))


def _stopped(rule: Rule, row: RuleResult, stop: Stop, evidence: Evidence) -> RuleResult:
    missing = max(0, rule.min_samples - evidence.samples(evidence.scored)) or None
    more = missing if stop.status is Status.INCONCLUSIVE else None
    return replace(row, status=stop.status, reason=str(stop), more_samples=more)
