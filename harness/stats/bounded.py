"""The mean of a bounded quantity: Student's t where it is known to hold, betting elsewhere.

Student's t at nominal 0.05 errs at 0.36 where 1 in 50 samples loses everything and n = 50, as the
sample often shows no loss at all. Simulation (``docs/simulation.md``) shows where it holds: from
``MIN_T`` values on, with little skewness, and with the part of the population that n values may
have missed put at the worst end of the range. Everywhere else the bound is that of ``betting.py``,
which holds for any distribution in the range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.stats.betting import betting_interval, log_wealth, shares
from harness.stats.constant import unseen_share
from harness.stats.lattice import half_step
from harness.stats.mean import Floats, Moments, mirrored, moments, t_low
from harness.types import Interval

MIN_T = 200
"""Least number of values for Student's t to decide."""
MAX_SKEW = 0.2
"""Largest skewness of the mean (sample skewness over the square root of n) for it to decide."""
T_METHOD = "Student's t, widened for skewness"


def trusts_t(n: int, skew: Any) -> Any:
    """Whether Student's t may decide; for arrays, elementwise."""
    return (n >= MIN_T) & (np.abs(skew) <= MAX_SKEW)


def guarded_low(found: Moments, n: int, low: float, alpha: float, step: float = 0.0) -> Any:
    """Student's lower bound, and no higher than the mean with the unseen share at ``low``.

    ``step``: by which the sum of values on few steps is corrected (``lattice.py``). A share q of
    the population shows in none of n values with probability (1 - q)^n: what that leaves possible
    at ``alpha`` may lie at the far end, however narrow the values seen.
    """
    unseen = unseen_share(n, alpha)
    return np.minimum(t_low(found, alpha) - step / n, (1 - unseen) * found.mean + unseen * low)


def bounded_interval(values: Floats, low: float, high: float, alpha: float) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of independent ``values`` (n,) in [low, high]."""
    found = moments(values)
    n = len(values)
    if not trusts_t(n, found.skew):
        return betting_interval(values, low, high, alpha)
    step = half_step(values)
    bottom = guarded_low(found, n, low, alpha, step)
    top = -guarded_low(mirrored(found), n, -high, alpha, step)
    mean, level = float(found.mean), 1 - 2 * alpha
    return Interval(mean, max(float(bottom), low), min(float(top), high), level, n, T_METHOD)


def proves_bounded(values: Floats, threshold: float, low: float, high: float, alpha: float) -> Any:
    """(...,) whether the lower bound of ``values`` (..., n) exceeds ``threshold``.

    What ``bounded_interval(...).low > threshold`` says, of many samples at once.
    """
    n = values.shape[-1]
    found = moments(values)
    by_t = guarded_low(found, n, low, alpha, half_step(values)) > threshold
    trusted = trusts_t(n, found.skew)
    if threshold <= low:
        by_bets = np.ones(found.mean.shape, bool)
    else:
        bets = shares(n, alpha, anytime=False)
        by_bets = log_wealth(values, threshold, low, bets) >= -np.log(alpha)
        # The bound never exceeds the mean, also where the mean equals every value.
        by_bets &= found.mean > threshold
    equal = values.max(axis=-1) == values.min(axis=-1)
    share = unseen_share(n, alpha)
    by_constant = found.mean - share * (found.mean - low) > threshold
    return np.where(equal, by_constant, np.where(trusted, by_t, by_bets))
