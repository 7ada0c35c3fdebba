"""Bounds that hold whatever the unscored values would have been.

The estimate leaves unscored pairs out. These functions give the bound to hold as well: at most
the bound that any completion of the data would have had. So losing a score never helps.
"""

from __future__ import annotations

import math

import numpy as np

from harness.stats.intervals import Scale, difference_interval, own_interval
from harness.stats.mean import Codes, Floats, t_critical


def worst_difference_low(
    candidate: Floats, reference: Floats, scale: Scale, alpha: float, clusters: Codes | None = None
) -> float:
    """Lower bound of the mean difference over all n pairs, unscored ones at their worst.

    Arrays (n,), NaN where unscored; ``scale`` bounded. A missing side takes the end of the range
    that is worst for the candidate.
    """
    low, high = _ends(scale)
    worst = np.where(np.isnan(candidate), low, candidate) - np.where(
        np.isnan(reference), high, reference
    )
    best = np.where(np.isnan(candidate), high, candidate) - np.where(
        np.isnan(reference), low, reference
    )
    if scale.binary and clusters is None:
        # Tango's bound falls with every pair that gets worse, so the worst values suffice.
        filled = np.where(np.isnan(candidate), low, candidate)
        against = np.where(np.isnan(reference), high, reference)
        return difference_interval(filled, against, scale, alpha).low
    return max(low - high, _lowest_t_bound(worst, best, alpha, clusters))


def worst_own_bound(
    values: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    quantile: float | None = None,
    *,
    upper: bool,
) -> float:
    """Upper (or lower) bound of one variant's own mean or quantile, unscored ones at their worst.

    A quantile takes an infinite value in its stride; a mean needs ``scale`` bounded.
    """
    missing = np.isnan(values)
    if quantile is not None or (scale.binary and clusters is None):
        end = scale.high if upper else scale.low
        fill = (math.inf if upper else -math.inf) if end is None else end
        interval = own_interval(np.where(missing, fill, values), scale, alpha, clusters, quantile)
        return interval.high if upper else interval.low
    low, high = _ends(scale)
    if not upper:
        filled_low, filled_high = np.where(missing, low, values), np.where(missing, high, values)
        return max(low, _lowest_t_bound(filled_low, filled_high, alpha, clusters))
    filled_low, filled_high = np.where(missing, -high, -values), np.where(missing, -low, -values)
    return min(high, -_lowest_t_bound(filled_low, filled_high, alpha, clusters))


def _ends(scale: Scale) -> tuple[float, float]:
    if scale.low is None or scale.high is None:
        raise ValueError("an unbounded metric has no worst value")
    return scale.low, scale.high


def _lowest_t_bound(worst: Floats, best: Floats, alpha: float, clusters: Codes | None) -> float:
    """At most the lower t bound of any vector between ``worst`` and ``best``, elementwise.

    The bound itself is not monotone (one high outlier widens the interval), so the least mean
    goes with an upper bound of the standard error: residuals about a fixed centre, each at its
    largest. For clusters the sums of residuals are bounded alike, and the triangle inequality
    covers the distance between centre and mean.
    """
    n = len(worst)
    known = worst[worst == best]
    centre = float(known.mean()) if len(known) else float(worst.mean())
    below, above = worst - centre, best - centre
    if clusters is None:
        largest = np.maximum(below**2, above**2)
        error = math.sqrt(float(largest.sum()) / (n - 1) / n)
        return float(worst.mean()) - t_critical(n - 1, alpha) * error
    codes = np.unique(clusters, return_inverse=True)[1]
    groups = int(codes.max()) + 1
    sums = np.maximum(
        np.abs(np.bincount(codes, weights=below)), np.abs(np.bincount(codes, weights=above))
    )
    shift = max(abs(float(below.mean())), abs(float(above.mean())))
    sizes = np.bincount(codes).astype(np.float64)
    norm = float(np.linalg.norm(sums)) + shift * float(np.linalg.norm(sizes))
    error = math.sqrt(groups / (groups - 1)) * norm / n
    return float(worst.mean()) - t_critical(groups - 1, alpha) * error
