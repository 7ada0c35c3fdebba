"""Order-statistic interval of a quantile: free of any assumption on the distribution."""

from __future__ import annotations

import math

import numpy as np

from harness.stats.mean import Codes, Floats, standard_error, t_critical
from harness.types import Interval


def quantile_interval(
    values: Floats, p: float, alpha: float, clusters: Codes | None = None
) -> Interval:
    """Two-sided 1 - 2*alpha interval of the ``p`` quantile of ``values`` (n,).

    The bounds are order statistics, exact for independent samples (David & Nagaraja 2003,
    "Order Statistics", section 7.1). With ``clusters`` they are widened to Woodruff's (1952)
    interval on the cluster-robust error of the share below the quantile. A bound that n cannot
    support is infinite: below 59 samples nothing bounds a 95th percentile at alpha = 0.05.
    """
    ordered = np.sort(values)
    n = len(ordered)
    estimate = float(ordered[_rank(n * p) - 1])
    lower, upper = _binomial_ranks(n, p, alpha)
    method = f"order statistics of the {p:g} quantile"
    if clusters is not None:
        below = (values <= estimate).astype(np.float64)
        groups = len(np.unique(clusters))
        half = t_critical(groups - 1, alpha) * standard_error(below, clusters)
        lower = min(lower, math.floor(n * (p - half)))
        upper = max(upper, math.floor(n * (p + half)) + 1)
        method += f", widened for {groups} clusters"
    low = float(ordered[lower - 1]) if lower >= 1 else -math.inf
    high = float(ordered[upper - 1]) if upper <= n else math.inf
    return Interval(estimate, low, high, 1 - 2 * alpha, n, method)


def samples_for_quantile(p: float, alpha: float) -> int:
    """Samples from which the ``p`` quantile has both bounds at ``alpha``."""
    return math.ceil(math.log(alpha) / math.log(max(p, 1 - p)))


def _rank(x: float) -> int:
    # n * p in floating point may stand a hair above a whole number.
    return max(1, math.ceil(x - 1e-9))


def _binomial_ranks(n: int, p: float, alpha: float) -> tuple[int, int]:
    """1-based ranks of the bounds; 0 and n + 1 where there is none."""
    from scipy.special import bdtr

    below = np.asarray(bdtr(np.arange(n + 1), n, p))
    # P(X_(r) >= quantile) >= P(Bin(n, p) <= r - 1).
    upper = int(np.searchsorted(below, 1 - alpha)) + 1
    # P(X_(r) <= quantile) >= P(Bin(n, p) >= r) = 1 - P(Bin(n, p) <= r - 1).
    lower = int(np.searchsorted(below, alpha, side="right"))
    return lower, upper
