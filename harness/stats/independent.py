"""The difference of two means of independent samples: other people saw the two sides."""

from __future__ import annotations

import math

import numpy as np

from harness.stats.betting import betting_difference_low
from harness.stats.bounded import MAX_SKEW, MIN_T
from harness.stats.clustered import cluster_moments, effective, influences, student_alpha
from harness.stats.constant import unseen_share
from harness.stats.mean import (
    Codes,
    Floats,
    Moments,
    mirrored,
    moments,
    skewness,
    t_low,
)
from harness.stats.newcombe import newcombe_interval
from harness.stats.scale import NoInterval, Scale, clipped, hull, scaled
from harness.types import Interval

Sides = tuple[Floats, Floats]
Groups = tuple[Codes, Codes] | None


def independent_interval(
    candidate: Floats,
    reference: Floats,
    scale: Scale,
    alpha: float,
    clusters: Groups = None,
    *,
    anytime: bool = False,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of mean(candidate) - mean(reference), independent samples.

    Arrays (n,) and (m,), NaN where unscored; ``clusters``: codes of each side, of one numbering, so
    that a user on both sides is one cluster. Binary: Newcombe's score interval; bounded: Welch's t
    where it holds (as ``bounded.py`` says, on each side), else betting; with clusters never
    narrower than the cluster-robust t. Raises NoInterval for an unbounded metric below 200 values a
    side, or ``anytime``.
    """
    sides, clusters = _scored((candidate, reference), clusters)
    n = sum(map(len, sides))
    if anytime:
        return _betting(sides, scale, alpha, clusters, anytime=True)
    if clusters is None:
        return _plain(sides, scale, alpha)
    found = difference_moments(sides, clusters)
    counts = [effective(s, c, alpha).shrink for s, c in zip(sides, clusters, strict=True)]
    plain = _plain(sides, scale, alpha, (counts[0], counts[1]), student_alpha(found.df, alpha))
    groups = len(np.unique(np.concatenate(clusters)))
    robust = Interval(
        plain.estimate,
        float(t_low(found, alpha)),
        -float(t_low(mirrored(found), alpha)),
        1 - 2 * alpha,
        n,
        f"cluster-robust Welch's t ({groups} clusters)",
    )
    span = scale.span
    return hull(robust, plain) if span is None else clipped(hull(robust, plain), -span, span)


def _scored(sides: Sides, clusters: Groups) -> tuple[Sides, Groups]:
    known = [~np.isnan(side) for side in sides]
    values = (sides[0][known[0]], sides[1][known[1]])
    if clusters is None:
        return values, None
    return values, (clusters[0][known[0]], clusters[1][known[1]])


def _plain(
    sides: Sides,
    scale: Scale,
    alpha: float,
    shrink: tuple[float, float] = (1.0, 1.0),
    counted_at: float | None = None,
) -> Interval:
    """Without clusters; counts shrunk to their effective size, at the level ``counted_at``."""
    if scale.binary and scale.span and scale.low is not None:
        low = scale.low
        successes = [k * int((side > low).sum()) for k, side in zip(shrink, sides, strict=True)]
        sizes = [k * len(side) for k, side in zip(shrink, sides, strict=True)]
        counted = newcombe_interval(
            (successes[0], successes[1]), (sizes[0], sizes[1]), counted_at or alpha
        )
        return scaled(counted, scale.span)
    found = difference_moments(sides)
    least = min(map(len, sides))
    if scale.span is None:
        if least < MIN_T:
            raise NoInterval(
                f"independent samples of a metric without a known range need {MIN_T} on each side; "
                "give the rule 'bounds = [least, greatest]', or measure more"
            )
        low, high = t_low(found, alpha), -t_low(mirrored(found), alpha)
        return _interval(sides, float(low), float(high), alpha, "Welch's t, widened for skewness")
    if least < MIN_T or abs(found.skew) > MAX_SKEW or not found.error > 0:
        return _betting(sides, scale, alpha, None, anytime=False)
    low = min(float(t_low(found, alpha)), unseen_low(sides, scale, alpha))
    top = min(
        float(t_low(mirrored(found), alpha)),
        unseen_low((sides[1], sides[0]), scale, alpha),
    )
    return _interval(sides, low, -top, alpha, "Welch's t, widened for skewness")


def unseen_low(sides: Sides, scale: Scale, alpha: float) -> float:
    """The difference with the unseen share of one side, the worse one, at the range's worst end."""
    ends = (scale.low or 0.0, scale.high or 0.0)
    (mine, n), (theirs, m) = ((float(s.mean()), len(s)) for s in sides)
    harm = unseen_share(n, alpha) * (mine - ends[0])
    gain = unseen_share(m, alpha) * (ends[1] - theirs)
    return mine - theirs - max(harm, gain)


def _betting(
    sides: Sides, scale: Scale, alpha: float, clusters: Groups, *, anytime: bool
) -> Interval:
    if anytime and clusters is not None and len(np.intersect1d(*clusters)):
        raise NoInterval(
            "some clusters are on both sides, and a bound that holds at every look needs sides "
            "that are independent; keep each user on one side, or compare pairs"
        )
    if scale.low is None or scale.high is None:
        raise NoInterval(
            "a metric without a known range has no bound that holds at every look; give the rule "
            "'bounds = [least, greatest]'"
        )
    turned = None if clusters is None else (clusters[1], clusters[0])
    ends = (scale.low, scale.high)
    low = betting_difference_low(*sides, *ends, alpha, clusters, anytime=anytime)
    high = -betting_difference_low(sides[1], sides[0], *ends, alpha, turned, anytime=anytime)
    method = "betting confidence sequence, independent" if anytime else "betting, independent"
    return _interval(sides, low, high, alpha, method)


def _interval(sides: Sides, low: float, high: float, alpha: float, method: str) -> Interval:
    estimate = float(sides[0].mean() - sides[1].mean())
    return Interval(estimate, low, high, 1 - 2 * alpha, sum(map(len, sides)), method)


def difference_moments(sides: Sides, clusters: Groups = None) -> Moments:
    """Of the difference of two means; degrees of freedom by Welch (1947) and Satterthwaite.

    With ``clusters``: jackknife over the clusters of both sides together, so that a cluster that is
    on both counts once (see ``mean.cluster_moments``).
    """
    estimate = float(sides[0].mean() - sides[1].mean())
    if clusters is None:
        each = [moments(side) for side in sides]
        parts = np.concatenate(
            [(s - s.mean()) / len(s) * sign for s, sign in zip(sides, (1, -1), strict=True)]
        )
        error = math.hypot(each[0].error, each[1].error)
    else:
        each = [cluster_moments(s, c) for s, c in zip(sides, clusters, strict=True)]
        parts = _joint_influences(sides, clusters)
        groups = len(parts)
        error = math.sqrt((groups - 1) / groups * float(parts @ parts))
    squares = float(parts @ parts)
    skew = float(skewness(np.float64((parts**3).sum()), np.float64(squares)))
    variances = [m.error**2 for m in each]
    spread = sum(v**2 / m.df for v, m in zip(variances, each, strict=True))
    df = sum(variances) ** 2 / spread if spread else min(m.df for m in each)
    return Moments(estimate, error, skew, df)


def _joint_influences(sides: Sides, clusters: tuple[Codes, Codes]) -> Floats:
    """(G,) what leaving each cluster out does to the difference."""
    codes, where = np.unique(np.concatenate(clusters), return_inverse=True)
    split = len(sides[0])
    total = np.zeros(len(codes))
    for side, at, sign in ((sides[0], where[:split], 1.0), (sides[1], where[split:], -1.0)):
        present = np.unique(at)
        total[present] += sign * influences(side - side.mean(), at)[0]
    return total
