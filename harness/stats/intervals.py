"""The choice of method: which interval answers for which kind of values.

Values are oriented so that higher is better; NaN is unscored. To add a method, add a branch to
``difference_interval`` or ``own_interval`` and its counterpart to ``missing.py`` and
``simulate.py``. Which method holds where, and how it was found: ``docs/statistics.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.stats.betting import betting_interval
from harness.stats.binomial import binomial_interval
from harness.stats.bootstrap import bca_interval
from harness.stats.bounded import MIN_T, T_METHOD, bounded_interval
from harness.stats.clustered import Effective, cluster_interval, effective
from harness.stats.constant import constant_interval
from harness.stats.mean import (
    Codes,
    Floats,
    mirrored,
    moments,
    standard_error,
    t_low,
)
from harness.stats.quantile import anytime_quantile_interval, quantile_interval
from harness.stats.scale import NoInterval, Scale, clipped, hull, scaled
from harness.stats.tango import tango_interval
from harness.types import Interval

__all__ = [
    "NoInterval",
    "Scale",
    "by_sample",
    "by_sample_cluster",
    "difference_interval",
    "own_interval",
    "tolerance",
]


def difference_interval(
    candidate: Floats,
    reference: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    *,
    owners: Codes | None = None,
    anytime: bool = False,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of candidate - reference over scored pairs.

    Arrays (n,), paired, NaN where unscored; at least 2 scored pairs. No pair (or cluster) differs
    from another: ``constant.py``'s exact bound. Binary: Tango's score interval. Bounded: Student's
    t where it holds, else betting (``bounded.py``). Unbounded: Student's t, below 200 pairs
    together with the BCa bootstrap. With ``clusters`` never narrower than the cluster-robust t,
    nor than without clusters. ``owners``: the sample that each of several answers belongs to; their
    mean is the sample's value, as answers to one sample are never independent. ``anytime``: a
    confidence sequence, valid after every look. Raises NoInterval where an unbounded metric has
    no spread, or ``anytime``.
    """
    scored = ~np.isnan(candidate) & ~np.isnan(reference)
    candidate, reference = candidate[scored], reference[scored]
    clusters = None if clusters is None else clusters[scored]
    if owners is not None:
        of = owners[scored]
        clusters = None if clusters is None else by_sample_cluster(clusters, of)
        candidate, reference = by_sample(candidate, of), by_sample(reference, of)
        scale = replace(scale, binary=False)
    span = scale.span
    slack = tolerance(candidate, reference)
    d = candidate - reference
    d[np.abs(d) <= slack] = 0.0
    low, high = (None, None) if span is None else (-span, span)

    def counted(of: Effective) -> Interval:
        assert span is not None
        wins, losses = of.shrink * int((d > 0).sum()), of.shrink * int((d < 0).sum())
        return scaled(tango_interval(wins, losses, of.shrink * len(d), of.alpha), span)

    binary = counted if scale.binary and span and d.any() else None
    return _mean(d, low, high, alpha, clusters, slack, binary, anytime=anytime)


def own_interval(
    values: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    quantile: float | None = None,
    *,
    owners: Codes | None = None,
    anytime: bool = False,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of one variant's own mean, or of its ``quantile``.

    Arrays (n,), NaN where unscored; at least 2 scored. Binary: Clopper and Pearson's exact
    interval; else as ``difference_interval``. Raises NoInterval as that does.
    """
    scored = ~np.isnan(values)
    values = values[scored]
    clusters = None if clusters is None else clusters[scored]
    of = None if owners is None else owners[scored]
    if quantile is not None:
        clusters = of if clusters is None else clusters
        if anytime and clusters is not None:
            raise NoInterval("a quantile of clustered values has no bound that holds at every look")
        if anytime:
            return anytime_quantile_interval(values, quantile, alpha)
        return quantile_interval(values, quantile, alpha, clusters)
    if of is not None:
        clusters = None if clusters is None else by_sample_cluster(clusters, of)
        values, scale = by_sample(values, of), replace(scale, binary=False)
    low, span = scale.low, scale.span

    def counted(of: Effective) -> Interval:
        assert span is not None
        assert low is not None
        successes = of.shrink * int((values > low).sum())
        return scaled(binomial_interval(successes, of.shrink * len(values), of.alpha), span, low)

    binary = counted if scale.binary and span else None
    return _mean(
        values, low, scale.high, alpha, clusters, tolerance(values), binary, anytime=anytime
    )


def _mean(
    values: Floats,
    low: float | None,
    high: float | None,
    alpha: float,
    clusters: Codes | None,
    slack: float,
    binary: Callable[[Effective], Interval] | None,
    *,
    anytime: bool,
) -> Interval:
    if anytime:
        if low is None or high is None:
            raise NoInterval(
                "a metric without a known range has no bound that holds at every look; give the "
                "rule 'bounds = [least, greatest]'"
            )
        inside = np.clip(values, low, high)
        return betting_interval(inside, low, high, alpha, clusters, anytime=True)
    if binary is not None and clusters is None:
        return binary(Effective(1.0, alpha))
    units = len(values) if clusters is None else len(np.unique(clusters))
    if units < 2 or not standard_error(values, clusters) > slack:
        return _constant(values, low, high, alpha, units)
    if clusters is None:
        return _independent(values, low, high, alpha)
    robust = cluster_interval(values, clusters, alpha)
    if binary is None:
        return clipped(hull(robust, _independent(values, low, high, alpha)), low, high)
    plain = binary(effective(values, clusters, alpha))
    method = f"{plain.method} at the effective sample size"
    return clipped(hull(robust, replace(plain, method=method)), low, high)


def _constant(
    values: Floats, low: float | None, high: float | None, alpha: float, units: int
) -> Interval:
    if low is None or high is None:
        raise NoInterval(
            "the values do not vary and the metric has no known range, so nothing bounds the mean; "
            "give the rule 'bounds = [least, greatest]'"
        )
    mean = min(max(float(values.mean()), low), high)
    return constant_interval(mean, len(values), alpha, low, high, units)


def _independent(values: Floats, low: float | None, high: float | None, alpha: float) -> Interval:
    if low is not None and high is not None:
        return bounded_interval(np.clip(values, low, high), low, high, alpha)
    of = moments(values)
    bottom, top = float(t_low(of, alpha)), -float(t_low(mirrored(of), alpha))
    found = Interval(float(of.mean), bottom, top, 1 - 2 * alpha, len(values), T_METHOD)
    if len(values) < MIN_T:
        found = hull(found, bca_interval(values, alpha))
    return clipped(found, low, high)


def by_sample(values: Floats, owners: Codes) -> Floats:
    """(S,) the mean of each sample's ``values`` (n,), in the order of the samples' codes."""
    codes = np.unique(owners, return_inverse=True)[1]
    return np.bincount(codes, weights=values) / np.bincount(codes)


def by_sample_cluster(clusters: Codes, owners: Codes) -> Codes | None:
    """(S,) the cluster of each sample; None where every sample has one of its own."""
    found: Codes = clusters[np.unique(owners, return_index=True)[1]]
    return None if len(np.unique(found)) == len(found) else found


def tolerance(*arrays: Floats) -> float:
    """Differences below this are rounding errors of the values."""
    return 1e-12 * max((float(np.abs(a).max()) for a in arrays if len(a)), default=0.0)
