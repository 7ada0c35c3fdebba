"""The choice of method: which interval answers for which kind of values.

Values are oriented so that higher is better; NaN is unscored. To add a method, add a branch to
``difference_interval`` or ``own_interval`` and its counterpart to ``missing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.stats.binomial import binomial_interval
from harness.stats.constant import constant_interval
from harness.stats.mean import Codes, Floats, mean_interval, standard_error
from harness.stats.quantile import quantile_interval
from harness.stats.tango import tango_interval
from harness.types import Interval


class NoInterval(ValueError):
    """The values support no interval; the message says why, and what would."""


@dataclass(frozen=True)
class Scale:
    """What values a metric can take; None: unbounded on that side."""

    low: float | None = None
    high: float | None = None
    binary: bool = False

    @property
    def span(self) -> float | None:
        return None if self.low is None or self.high is None else self.high - self.low

    def flipped(self) -> Scale:
        """The scale of the negated values."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Scale(low, high, self.binary)


def difference_interval(
    candidate: Floats, reference: Floats, scale: Scale, alpha: float, clusters: Codes | None = None
) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of candidate - reference over scored pairs.

    Arrays (n,), paired, NaN where unscored; at least 2 scored pairs. Binary: Tango's score
    interval; else Student's t, by cluster where ``clusters`` are given; where no pair (or
    cluster) differs from another, the exact bound of ``constant_interval``. Raises NoInterval
    where an unbounded metric has no spread.
    """
    scored = ~np.isnan(candidate) & ~np.isnan(reference)
    candidate, reference = candidate[scored], reference[scored]
    clusters = None if clusters is None else clusters[scored]
    span = scale.span
    d = candidate - reference
    d[np.abs(d) <= tolerance(candidate, reference)] = 0.0
    if scale.binary and clusters is None and span and d.any():
        return scaled(tango_interval(int((d > 0).sum()), int((d < 0).sum()), len(d), alpha), span)
    low, high = (None, None) if span is None else (-span, span)
    return _mean(d, low, high, alpha, clusters, tolerance(candidate, reference))


def own_interval(
    values: Floats,
    scale: Scale,
    alpha: float,
    clusters: Codes | None = None,
    quantile: float | None = None,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of one variant's own mean, or of its ``quantile``.

    Arrays (n,), NaN where unscored; at least 2 scored. Binary: Clopper and Pearson's exact
    interval; else Student's t. Raises NoInterval as ``difference_interval`` does.
    """
    scored = ~np.isnan(values)
    values = values[scored]
    clusters = None if clusters is None else clusters[scored]
    if quantile is not None:
        return quantile_interval(values, quantile, alpha, clusters)
    if scale.binary and clusters is None and scale.span and scale.low is not None:
        successes = int((values > scale.low).sum())
        exact = binomial_interval(successes, len(values), alpha)
        return scaled(exact, scale.span, scale.low)
    return _mean(values, scale.low, scale.high, alpha, clusters, tolerance(values))


def _mean(
    values: Floats,
    low: float | None,
    high: float | None,
    alpha: float,
    clusters: Codes | None,
    slack: float,
) -> Interval:
    units = len(values) if clusters is None else len(np.unique(clusters))
    if units > 1 and standard_error(values, clusters) > slack:
        return clipped(mean_interval(values, alpha, clusters), low, high)
    if low is None or high is None:
        raise NoInterval(
            "the values do not vary and the metric has no known range, so nothing bounds the mean; "
            "give the rule 'bounds = [least, greatest]'"
        )
    mean = min(max(float(values.mean()), low), high)
    return constant_interval(mean, len(values), alpha, low, high, units)


def tolerance(*arrays: Floats) -> float:
    """Differences below this are rounding errors of the values."""
    return 1e-12 * max((float(np.abs(a).max()) for a in arrays if len(a)), default=0.0)


def scaled(interval: Interval, span: float, low: float = 0.0) -> Interval:
    """An interval of a proportion on the metric's own scale."""
    if (span, low) == (1.0, 0.0):
        return interval
    estimate, bottom, top = (
        low + span * x for x in (interval.estimate, interval.low, interval.high)
    )
    return replace(interval, estimate=estimate, low=bottom, high=top)


def clipped(interval: Interval, low: float | None, high: float | None) -> Interval:
    """The part of an interval that lies within what is possible."""
    bottom = interval.low if low is None else max(interval.low, low)
    top = interval.high if high is None else min(interval.high, high)
    return replace(interval, low=bottom, high=top)
