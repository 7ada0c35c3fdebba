"""Every variant on its own and against every other, without any rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.compare.aligned import MetricInfo, TaskData, index
from harness.compare.pairs import Pairs, own, pair
from harness.stats.intervals import NoInterval, difference_interval, own_interval
from harness.stats.mean import Codes
from harness.store.runs import Run
from harness.types import Comparison, Interval, Summary

MIN_CLUSTERS = 10
"""Fewer clusters than this give no cluster-robust bound worth its name."""
MIN_PAIRS = 2


def comparisons(run: Run, alpha: float = 0.05, candidate: str | None = None) -> list[Comparison]:
    """Candidate minus reference for every task, metric and pair of variants.

    Without ``candidate`` each pair stands both ways round, so that no reader has to flip a sign.
    Variants that share no sample of a task are left out. Positive is better; an imported metric
    counts as higher-is-better.
    """
    return [
        _comparison(task, task.infos[metric], a, b, alpha)
        for task in index(run).values()
        for metric in task.scored_metrics
        for a in task.variants
        for b in task.variants
        if a != b and candidate in (None, a) and _measured(task, a) and _measured(task, b)
    ]


def summaries(run: Run, alpha: float = 0.05) -> list[Summary]:
    """Each variant's own value of every metric, with those read off the outputs."""
    return [
        _summary(task, info, variant, alpha)
        for task in index(run).values()
        for info in task.infos.values()
        for variant in task.variants
        if _measured(task, variant)
        and not (info.derived and np.isnan(task.values[info.name]).all())
    ]


def _measured(task: TaskData, variant: str) -> bool:
    return bool(task.touched[task.row(variant)].any())


def difference(pairs: Pairs, alpha: float) -> tuple[float | None, Outcome]:
    """Candidate minus reference, and its interval or why there is none."""
    scored = pairs.scored
    mean = float((pairs.candidate - pairs.reference)[scored].mean()) if scored.any() else None
    if pairs.differs:
        return mean, Outcome(None, "; ".join(pairs.differs))
    return mean, attempt(
        int(scored.sum()),
        None if pairs.clusters is None else pairs.clusters[scored],
        lambda: difference_interval(
            pairs.candidate,
            pairs.reference,
            pairs.scale,
            alpha,
            pairs.clusters,
            owners=pairs.owners,
        ),
    )


def _comparison(
    task: TaskData, info: MetricInfo, candidate: str, versus: str, alpha: float
) -> Comparison:
    pairs = pair(task, candidate, versus, info, higher=info.higher_is_better is not False)
    scored = pairs.scored
    n = int(scored.sum())
    mean, outcome = difference(pairs, alpha)
    low, high = outcome.bounds
    return Comparison(
        task=task.name,
        metric=info.name,
        slice=None,
        candidate=candidate,
        versus=versus,
        alpha=alpha,
        ci_level=1 - 2 * alpha,
        estimate=mean,
        ci_low=low,
        ci_high=high,
        n=n,
        n_unscored=int((~scored).sum()),
        method=outcome.method,
    )


def _summary(task: TaskData, info: MetricInfo, variant: str, alpha: float) -> Summary:
    values, clusters, owners = own(task, variant, info)
    scored = ~np.isnan(values)
    n = int(scored.sum())
    outcome = attempt(
        n,
        None if clusters is None else clusters[scored],
        lambda: own_interval(values, info.scale, alpha, clusters, info.quantile, owners=owners),
    )
    estimate = None if outcome.interval is None else outcome.interval.estimate
    if estimate is None and n and info.quantile is None:
        estimate = float(values[scored].mean())
    low, high = outcome.bounds
    return Summary(
        task=task.name,
        metric=info.name,
        variant=variant,
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        ci_level=1 - 2 * alpha,
        n=n,
        n_unscored=len(values) - n,
    )


@dataclass(frozen=True)
class Outcome:
    """An interval and its method, or None and why there is none."""

    interval: Interval | None
    method: str

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        if self.interval is None:
            return None, None
        low, high = self.interval.low, self.interval.high
        return (low if math.isfinite(low) else None, high if math.isfinite(high) else None)


def attempt(n: int, clusters: Codes | None, interval: Callable[[], Interval]) -> Outcome:
    """``interval()`` of ``n`` scored samples in ``clusters`` (n,), where they support one."""
    if n < MIN_PAIRS:
        return Outcome(None, f"{n} scored samples")
    if clusters is not None and (groups := len(np.unique(clusters))) < MIN_CLUSTERS:
        return Outcome(None, f"{groups} clusters, and a bound needs {MIN_CLUSTERS}")
    try:
        found = interval()
    except NoInterval as error:
        return Outcome(None, str(error))
    return Outcome(found, found.method)
