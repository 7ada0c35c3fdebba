"""Newcombe's score interval for the difference of two independent proportions."""

from __future__ import annotations

import math

from harness.types import Interval

CONTINUITY = 0.25
"""Successes by which a count is moved against each bound: without it the bound errs at up to 0.084
near 0 and 1, with it at up to 0.055 for rates from 0.02 to 0.98 and 50 or more on each side,
summed over all outcomes (``benchmarks/false_ship.py``). Beyond those rates, sides of very unlike
sizes err at up to 0.079."""


def newcombe_interval(
    successes: tuple[float, float],
    n: tuple[float, float],
    alpha: float,
    continuity: float = CONTINUITY,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of p(candidate) - p(reference), independent samples.

    ``successes`` and ``n``: of candidate and reference. Newcombe (1998), Statistics in Medicine
    17:873-890, method 10: the hybrid of two Wilson (1927) intervals; with ``continuity`` 0 equal to
    statsmodels' ``confint_proportions_2indep(method="newcomb")``.
    """
    low = newcombe_low(successes, n, alpha, continuity)
    high = -newcombe_low(successes[::-1], n[::-1], alpha, continuity)
    estimate = successes[0] / n[0] - successes[1] / n[1]
    return Interval(estimate, low, high, 1 - 2 * alpha, round(sum(n)), "Newcombe hybrid score")


def newcombe_low(
    successes: tuple[float, float],
    n: tuple[float, float],
    alpha: float,
    continuity: float = CONTINUITY,
) -> float:
    """One-sided lower bound at ``alpha``."""
    from scipy.special import ndtri

    z = float(ndtri(1 - alpha))
    mine = max(successes[0] - continuity, 0.0) / n[0]
    theirs = min(successes[1] + continuity, float(n[1])) / n[1]
    below = mine - _wilson(mine, n[0], z)[0]
    above = _wilson(theirs, n[1], z)[1] - theirs
    return mine - theirs - math.hypot(below, above)


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half
