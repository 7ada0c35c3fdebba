"""Tango's score interval for the difference of two paired proportions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.types import Interval

CONTINUITY = 0.25
"""Pairs by which a count is moved against each bound. Tango's own interval (0) errs at up to 0.085
where few pairs differ; with a quarter of a pair the error, summed over all outcomes, is at most
0.056 from 50 pairs on, whatever share of them differs (``benchmarks/false_ship.py``), and 0.06 at
30. Half a pair would cost more power."""


def tango_interval(
    wins: float, losses: float, n: float, alpha: float, continuity: float = CONTINUITY
) -> Interval:
    """Two-sided 1 - 2*alpha interval of p(candidate) - p(reference), paired and binary.

    ``wins``: pairs where only the candidate succeeds; ``losses``: only the reference; ``n``: all
    pairs. Tango (1998), Statistics in Medicine 17:891-908; with ``continuity`` 0 equal to R's
    ``PropCIs::scoreci.mp(losses, wins, n, 1 - 2*alpha)``. Unlike Wald's, it keeps a width where
    no pair differs.
    """
    low = tango_low(wins, losses, n, alpha, continuity)
    high = -tango_low(losses, wins, n, alpha, continuity)
    return Interval((wins - losses) / n, low, high, 1 - 2 * alpha, round(n), "Tango score")


def tango_low(
    wins: float, losses: float, n: float, alpha: float, continuity: float = CONTINUITY
) -> float:
    """One-sided lower bound at ``alpha``."""
    from scipy.special import ndtri

    # One pair fewer of the wins, and one more of the losses, as far as there are pairs.
    fewer, more = max(wins - continuity, 0.0), min(losses + continuity, float(n))
    return _lower(fewer, min(more, n - fewer), n, float(ndtri(1 - alpha)))


def _lower(wins: float, losses: float, n: float, z: float) -> float:
    """The difference at which the score statistic equals z, from below."""
    if losses == n:
        return -1.0
    estimate = (wins - losses) / n
    return _last_true(lambda d: _statistic(d, wins, losses, n) >= z, -1.0, estimate)


def _statistic(d: float, wins: float, losses: float, n: float) -> float:
    """Score statistic of H0: difference = d, with the other parameter at its restricted MLE."""
    b = -wins - losses + (2 * n - wins + losses) * d
    c = -losses * d * (1 - d)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * q + d * (1 - d))
    excess = wins - losses - n * d
    if variance <= 0:
        return math.inf if excess > 0 else 0.0
    return excess / math.sqrt(variance)


def tango_exceeds(d: float, wins: Any, losses: Any, n: Any, alpha: float) -> Any:
    """Whether ``tango_low`` exceeds ``d``, elementwise for arrays of counts."""
    from scipy.special import ndtri

    fewer = np.maximum(wins - CONTINUITY, 0.0)
    more = np.minimum(losses + CONTINUITY, n - fewer)
    if d <= -1:
        return np.asarray(more < n)
    b = -fewer - more + (2 * n - fewer + more) * d
    c = -more * d * (1 - d)
    q = (np.sqrt(np.maximum(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * q + d * (1 - d))
    excess = fewer - more - n * d
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(variance > 0, excess / np.sqrt(variance), np.inf)
    return (excess > 0) & (statistic >= float(ndtri(1 - alpha)))


def _last_true(condition: Callable[[float], bool], start: float, stop: float) -> float:
    """Largest point of [start, stop] where a condition that turns false once is true."""
    while stop - start > 1e-12:
        middle = (start + stop) / 2
        if middle in (start, stop):
            break
        start, stop = (middle, stop) if condition(middle) else (start, middle)
    return start
