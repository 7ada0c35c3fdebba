"""Bounds that hold whatever the unscored values would have been.

The estimate leaves unscored pairs out. These functions give the bound to hold as well: at most
the bound that any completion of the data would have had. So losing a score never helps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.betting import betting_difference_low, betting_low
from harness.stats.binomial import binomial_interval
from harness.stats.bounded import MAX_SKEW, MIN_T
from harness.stats.clustered import Effective, effective_clusters, student_alpha
from harness.stats.constant import unseen_share
from harness.stats.independent import Groups, Sides, unseen_low
from harness.stats.intervals import (
    by_sample,
    by_sample_cluster,
    difference_interval,
    own_interval,
)
from harness.stats.lattice import half_step
from harness.stats.mean import Codes, Floats, skew_widening, t_critical
from harness.stats.newcombe import newcombe_low
from harness.stats.scale import Scale
from harness.stats.tango import tango_low


def worst_difference_low(
    candidate: Floats,
    reference: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    *,
    owners: Codes | None = None,
    anytime: bool = False,
) -> float:
    """Lower bound of the mean difference over all n pairs, unscored ones at their worst.

    Arrays (n,), NaN where unscored; ``scale`` bounded. A missing side takes the end of the range
    that is worst for the candidate.
    """
    low, high = _ends(scale)
    filled = np.where(np.isnan(candidate), low, candidate)
    against = np.where(np.isnan(reference), high, reference)
    scale = scale if owners is None else replace(scale, binary=False)
    if scale.binary and clusters is None and not anytime:
        # Tango's bound falls with every pair that gets worse, so the worst values suffice.
        return difference_interval(filled, against, scale, alpha).low
    best = np.where(np.isnan(candidate), high, candidate) - np.where(
        np.isnan(reference), low, reference
    )
    values, clusters = _of_samples(Range(filled - against, best), clusters, owners)
    counted = None
    if scale.binary and not anytime:
        d = filled - against

        def counted(of: Effective) -> float:
            wins, losses = of.shrink * int((d > 0).sum()), of.shrink * int((d < 0).sum())
            return (high - low) * tango_low(wins, losses, of.shrink * len(d), of.alpha)

    ends = (low - high, high - low)
    return _lowest(values, ends, alpha, clusters, counted, anytime=anytime)


def worst_own_bound(
    values: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    quantile: float | None = None,
    *,
    upper: bool,
    owners: Codes | None = None,
    anytime: bool = False,
) -> float:
    """Upper (or lower) bound of one variant's own mean or quantile, unscored ones at their worst.

    A quantile takes an infinite value in its stride; a mean needs ``scale`` bounded.
    """
    missing = np.isnan(values)
    counts = scale.binary and not anytime and owners is None
    if quantile is not None or (counts and clusters is None):
        end = scale.high if upper else scale.low
        fill = (math.inf if upper else -math.inf) if end is None else end
        filled = np.where(missing, fill, values)
        interval = own_interval(
            filled, scale, alpha, clusters, quantile, owners=owners, anytime=anytime
        )
        return interval.high if upper else interval.low
    low, high = _ends(scale)
    sign = -1.0 if upper else 1.0
    floor, top = (-high, -low) if upper else (low, high)
    held = Range(np.where(missing, floor, sign * values), np.where(missing, top, sign * values))
    held, clusters = _of_samples(held, clusters, owners)
    counted = None
    if counts:

        def counted(of: Effective) -> float:
            successes = of.shrink * int((held.worst > floor).sum())
            found = binomial_interval(successes, of.shrink * len(held.worst), of.alpha)
            return floor + (top - floor) * found.low

    return sign * _lowest(held, (floor, top), alpha, clusters, counted, anytime=anytime)


def worst_independent_low(
    candidate: Floats,
    reference: Floats,
    scale: Scale,
    alpha: float,
    clusters: Groups = None,
    *,
    anytime: bool = False,
) -> float:
    """As ``worst_difference_low``, for independent samples (n,) and (m,)."""
    low, high = _ends(scale)
    mine = np.where(np.isnan(candidate), low, candidate)
    theirs = np.where(np.isnan(reference), high, reference)
    sides: Sides = (mine, theirs)
    if anytime:
        return betting_difference_low(*sides, low, high, alpha, clusters, anytime=True)
    if scale.binary and clusters is None:
        return _fewest_successes(sides, scale, (1.0, 1.0), alpha)
    if not scale.binary:
        plain = betting_difference_low(*sides, low, high, alpha)
        if clusters is None and min(len(mine), len(theirs)) < MIN_T:
            return plain
    ranges = (
        Range(mine, np.where(np.isnan(candidate), high, candidate)),
        Range(-theirs, np.where(np.isnan(reference), -low, -reference)),
    )
    estimate = float(mine.mean() - theirs.mean())
    groups = (None, None) if clusters is None else clusters
    # The sides' errors add up at most, as when every cluster were on both sides in phase.
    parts = [_errors(r, c) for r, c in zip(ranges, groups, strict=True)]
    error = sum(p.error for p in parts)
    if scale.binary:
        assert clusters is not None
        sizes = [_fewest(r, p, c, alpha) for r, p, c in zip(ranges, parts, clusters, strict=True)]
        least = min(size.alpha for size in sizes)
        plain = _fewest_successes(sides, scale, (sizes[0].shrink, sizes[1].shrink), least)
    if clusters is None:
        error = math.hypot(*(p.error for p in parts))
        plain = min(plain, unseen_low(sides, scale, alpha))
    # No skewness of a mean exceeds 1, and without clusters Student's t decides up to MAX_SKEW.
    skew = MAX_SKEW if clusters is None else 1.0
    reach = t_critical(min(p.df for p in parts), alpha) + skew * skew_widening(alpha)
    return max(low - high, min(plain, estimate - reach * error))


def _fewest_successes(
    sides: Sides, scale: Scale, shrink: tuple[float, float], alpha: float
) -> float:
    low, high = _ends(scale)
    successes = [k * int((side > low).sum()) for k, side in zip(shrink, sides, strict=True)]
    sizes = [k * len(side) for k, side in zip(shrink, sides, strict=True)]
    found = newcombe_low((successes[0], successes[1]), (sizes[0], sizes[1]), alpha)
    return (high - low) * found


@dataclass(frozen=True)
class Range:
    """n values of which some may be anything between ``worst`` and ``best``, elementwise."""

    worst: Floats
    best: Floats

    @property
    def known(self) -> Floats:
        found: Floats = self.worst[self.worst == self.best]
        return found


def _of_samples(
    values: Range, clusters: Codes | None, owners: Codes | None
) -> tuple[Range, Codes | None]:
    """Several answers to a sample as their mean, and the samples' clusters."""
    if owners is None:
        return values, clusters
    means = Range(by_sample(values.worst, owners), by_sample(values.best, owners))
    return means, None if clusters is None else by_sample_cluster(clusters, owners)


@dataclass(frozen=True)
class _Errors:
    """What no completion of the values exceeds."""

    error: float
    """Standard error of the mean."""
    skew: tuple[float, float]
    """Least and greatest skewness of the mean."""
    df: float
    vary: bool = True
    """Whether the units differ, whatever the unscored values were."""
    farthest: float = 0.0
    """Of clusters: the largest sum of residuals, over the mean size of a cluster."""


def _ends(scale: Scale) -> tuple[float, float]:
    if scale.low is None or scale.high is None:
        raise ValueError("an unbounded metric has no worst value")
    return scale.low, scale.high


def _lowest(
    values: Range,
    ends: tuple[float, float],
    alpha: float,
    clusters: Codes | None,
    counted: Callable[[Effective], float] | None,
    *,
    anytime: bool,
) -> float:
    """At most the lower bound of any completion. ``counted``: the bound of a binary metric's
    counts."""
    low, high = ends
    if anytime:
        # Betting falls with every value that falls.
        return betting_low(values.worst, low, alpha, clusters, high=high, anytime=True)
    if clusters is None:
        return max(low, _lowest_independent(values, low, high, alpha))
    errors = _errors(values, clusters)
    if counted is None:
        plain = _lowest_independent(values, low, high, alpha)
    else:
        plain = counted(_fewest(values, errors, clusters, alpha))
    mean = float(values.worst.mean())
    groups = len(np.unique(clusters))
    by_t = mean - _reach(errors, alpha) * errors.error - _step(values)
    by_t = min(by_t, mean - unseen_share(groups, alpha) * errors.farthest)
    if not errors.vary:
        # Complete, the clusters may have been all equal, which has a bound of its own.
        by_t = min(by_t, mean - unseen_share(groups, alpha) * (mean - low))
    return max(low, min(plain, by_t))


def _lowest_independent(values: Range, low: float, high: float, alpha: float) -> float:
    """The lowest bound of ``bounded.bounded_interval`` over all completions.

    Each of its branches is held: whichever of them a completion would have taken, its bound is no
    lower than the least of these.
    """
    n = len(values.worst)
    errors = _errors(values, None)
    bound = math.inf
    if n < MIN_T or max(-errors.skew[0], errors.skew[1]) > MAX_SKEW:
        bound = betting_low(values.worst, low, alpha, high=high)
    if n >= MIN_T:
        mean = float(values.worst.mean())
        unseen = unseen_share(n, alpha)
        bound = min(
            bound,
            mean - _reach(errors, alpha) * errors.error - _step(values),
            (1 - unseen) * mean + unseen * low,
        )
    return bound


def _fewest(values: Range, errors: _Errors, clusters: Codes, alpha: float) -> Effective:
    """The smallest effective size of any completion: the largest clustered error there can be
    over the smallest independent one."""
    known, n = values.known, len(values.worst)
    least = float(((known - known.mean()) ** 2).sum()) / (n - 1) / n if len(known) else 0.0
    shrink = least / errors.error**2 if errors.error else 1.0
    if not errors.vary:
        # Complete, the clusters may have been all equal, and each counts once.
        shrink = min(shrink, len(np.unique(clusters)) / n)
    return Effective(max(1e-9, min(1.0, shrink)), student_alpha(errors.df, alpha))


def _reach(errors: _Errors, alpha: float) -> float:
    widest = max(0.0, -errors.skew[0])
    return t_critical(errors.df, alpha) + (widest * skew_widening(alpha) if errors.error else 0.0)


def _step(values: Range) -> float:
    """The correction for values on few steps, of any completion: what is known of them takes no
    finer steps than all of them, and one known value says nothing of the steps."""
    known, n = values.known, len(values.worst)
    if len(np.unique(np.round(known, 9))) < 2:
        return float((values.best - values.worst).max(initial=0.0)) / 2 / n
    return half_step(known) / n


def _errors(values: Range, clusters: Codes | None) -> _Errors:
    """The bounds on spread and skewness: neither is monotone in a value, so each is bounded by
    interval arithmetic about the mean of the known values."""
    known = values.known
    centre = float(known.mean()) if len(known) else float(values.worst.mean())
    below, above = values.worst - centre, values.best - centre
    if clusters is not None:
        return _cluster_errors(below, above, clusters)
    n = len(below)
    largest = float(np.maximum(below**2, above**2).sum())
    least = float(((known - centre) ** 2).sum())
    shift = (float(below.mean()), float(above.mean()))
    # Sum of cubes about the mean = A3 - 3 s A2 + 2 n s^3, with the sums A about the centre and s
    # the distance of the mean from it.
    cross = [s * a for s in shift for a in (least, largest)]
    low = float((below**3).sum()) - 3 * max(cross) + 2 * n * shift[0] ** 3
    high = float((above**3).sum()) - 3 * min(cross) + 2 * n * shift[1] ** 3
    return _Errors(
        math.sqrt(largest / (n - 1) / n),
        (_over(low, least), _over(high, least)),
        n - 1,
    )


def _over(cubes: float, least: float) -> float:
    """Extreme of cubes / squares^1.5 for squares from ``least`` on; it never exceeds 1."""
    if cubes == 0:
        return 0.0
    return max(-1.0, min(cubes / least**1.5, 1.0)) if least > 0 else math.copysign(1.0, cubes)


def _cluster_errors(below: Floats, above: Floats, clusters: Codes) -> _Errors:
    """Sums of residuals are bounded alike; the triangle inequality covers the distance between
    centre and mean."""
    codes = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    groups, n = len(sizes), len(below)
    weights = n - sizes
    ends = [np.bincount(codes, weights=part) / weights for part in (below, above)]
    sums = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
    shift = max(abs(float(below.mean())), abs(float(above.mean()))) * sizes / weights
    inner = np.where(ends[0] * ends[1] > 0, np.minimum(np.abs(ends[0]), np.abs(ends[1])), 0.0)
    largest = float(np.linalg.norm(sums + shift))
    least = float(np.linalg.norm(np.maximum(inner - shift, 0.0)))
    cubes = float(((sums + shift) ** 3).sum())
    skew = _over(cubes, least**2)
    error = math.sqrt((groups - 1) / groups) * largest
    raw = np.maximum(*(np.abs(end * weights) for end in ends)) + shift * weights
    return _Errors(
        error,
        (-skew, skew),
        effective_clusters(sizes) - 1,
        least > 1e-9 * largest,
        float(raw.max()) * groups / n,
    )
