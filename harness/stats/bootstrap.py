"""The BCa bootstrap interval of a mean."""

from __future__ import annotations

import numpy as np

from harness.stats.mean import Floats
from harness.types import Interval

RESAMPLES = 4000
_CHUNK = 2_000_000
"""Values that are drawn at once."""


def bca_interval(
    values: Floats, alpha: float, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of independent ``values`` (n,), n >= 2.

    Bias-corrected and accelerated percentiles (Efron 1987, JASA 82:171-185; Efron & Tibshirani
    1993, chapter 14), the acceleration from the jackknife. The same values in any order give the
    same interval, and the negated values its mirror image.
    """
    from scipy.special import ndtr, ndtri

    ordered = np.sort(values)
    if tuple(np.sort(-values)) < tuple(ordered):
        turned = bca_interval(-values, alpha, resamples=resamples, seed=seed)
        low, high = -turned.high, -turned.low
        return Interval(-turned.estimate, low, high, turned.level, turned.n, turned.method)
    mean = float(ordered.mean())
    means = np.sort(_resampled(ordered, resamples, seed))
    below = (means < mean).sum() + (means == mean).sum() / 2
    bias = float(ndtri(np.clip(below / resamples, 0.5 / resamples, 1 - 0.5 / resamples)))
    residuals = mean - ordered
    squares = float((residuals**2).sum())
    skew = float((residuals**3).sum()) / squares**1.5 if squares else 0.0
    # The jackknife of a mean: leaving a value out moves it by its residual over n - 1.
    acceleration = -skew / 6
    z = np.array([ndtri(alpha), ndtri(1 - alpha)])
    levels = ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = (float(x) for x in np.quantile(means, levels))
    return Interval(mean, low, high, 1 - 2 * alpha, len(values), "BCa bootstrap")


def _resampled(values: Floats, resamples: int, seed: int) -> Floats:
    """(resamples,) means of samples drawn from ``values`` (n,) with replacement."""
    rng = np.random.default_rng(seed)
    n = len(values)
    rows = max(1, _CHUNK // n)
    parts = [
        values[rng.integers(0, n, (min(rows, resamples - start), n))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    means: Floats = np.concatenate(parts)
    return means
