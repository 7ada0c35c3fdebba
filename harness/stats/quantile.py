"""Order-statistic interval of a quantile: free of any assumption on the distribution."""

from __future__ import annotations

import math
from collections.abc import Callable

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


def anytime_quantile_interval(values: Floats, p: float, alpha: float) -> Interval:
    """Interval of the ``p`` quantile that holds after every look at more ``values`` (n,).

    A value lies above the quantile where betting refutes that a share p or more of the population
    lies at or below it (Howard & Ramdas 2022, Bernoulli 28:1704-1728, put the same question to
    other bounds). The bounds are order statistics, infinite where n supports none.
    """
    ordered = np.sort(values)
    n = len(ordered)
    # One order statistic is a lower bound where so few values lie below it that a share p is
    # refuted; the counts that refute form an initial run.
    lower = _first_false(lambda k: _refuted(n - k, n, 1 - p, alpha), n + 1)
    upper = _first_false(lambda k: not _refuted(k, n, p, alpha), n + 1)
    low = float(ordered[lower - 1]) if lower >= 1 else -math.inf
    high = float(ordered[upper - 1]) if upper <= n else math.inf
    method = f"betting confidence sequence of the {p:g} quantile"
    estimate = float(ordered[_rank(n * p) - 1])
    return Interval(estimate, low, high, 1 - 2 * alpha, n, method)


def _refuted(successes: int, n: int, share: float, alpha: float) -> bool:
    """Whether ``successes`` of ``n`` are so many that a share of at most ``share`` is refuted."""
    from harness.stats.betting import betting_low

    values = np.zeros(n)
    values[:successes] = 1.0
    return betting_low(values, 0.0, alpha, anytime=True) >= share


def _first_false(holds: Callable[[int], bool], end: int) -> int:
    """Least k in [0, end) at which a condition that turns false once is false; ``end``: none."""
    start, stop = 0, end
    while start < stop:
        middle = (start + stop) // 2
        start, stop = (middle + 1, stop) if holds(middle) else (start, middle)
    return start


def quantile_ship_rate(n: int, p: float, within: float, alpha: float) -> float:
    """Chance that the upper bound of the ``p`` quantile of ``n`` values lies within a limit that a
    share ``within`` of the population keeps."""
    from scipy.special import bdtr

    rank = _binomial_ranks(n, p, alpha)[1]
    return float(1 - bdtr(rank - 1, n, within)) if rank <= n else 0.0
