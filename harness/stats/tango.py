"""Tango's score interval for the difference of two paired proportions."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.types import Interval


def tango_interval(wins: int, losses: int, n: int, alpha: float) -> Interval:
    """Two-sided 1 - 2*alpha interval of p(candidate) - p(reference), paired and binary.

    ``wins``: pairs where only the candidate succeeds; ``losses``: only the reference; ``n``: all
    pairs. Tango (1998), Statistics in Medicine 17:891-908; equal to R's
    ``PropCIs::scoreci.mp(losses, wins, n, 1 - 2*alpha)``. Unlike Wald's, it keeps a width where
    no pair differs.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - alpha))
    low = _lower(wins, losses, n, z)
    high = -_lower(losses, wins, n, z)
    return Interval((wins - losses) / n, low, high, 1 - 2 * alpha, n, "Tango score")


def _lower(wins: int, losses: int, n: int, z: float) -> float:
    """The difference at which the score statistic equals z, from below."""
    if losses == n:
        return -1.0
    estimate = (wins - losses) / n
    return _last_true(lambda d: _statistic(d, wins, losses, n) >= z, -1.0, estimate)


def _statistic(d: float, wins: int, losses: int, n: int) -> float:
    """Score statistic of H0: difference = d, with the other parameter at its restricted MLE."""
    b = -wins - losses + (2 * n - wins + losses) * d
    c = -losses * d * (1 - d)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * q + d * (1 - d))
    excess = wins - losses - n * d
    if variance <= 0:
        return math.inf if excess > 0 else 0.0
    return excess / math.sqrt(variance)


def _last_true(condition: Callable[[float], bool], start: float, stop: float) -> float:
    """Largest point of [start, stop] where a condition that turns false once is true."""
    while stop - start > 1e-12:
        middle = (start + stop) / 2
        if middle in (start, stop):
            break
        start, stop = (middle, stop) if condition(middle) else (start, middle)
    return start
