"""Clopper and Pearson's exact interval of one proportion."""

from __future__ import annotations

from harness.types import Interval


def binomial_interval(successes: float, n: float, alpha: float) -> Interval:
    """Two-sided 1 - 2*alpha interval of a proportion; each bound errs at most at ``alpha``.

    Clopper & Pearson (1934), Biometrika 26:404-413, through quantiles of the beta
    distribution. Conservative, as a guardrail should be.
    """
    from scipy.special import betaincinv

    low = float(betaincinv(successes, n - successes + 1, alpha)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - alpha)) if successes < n else 1.0
    return Interval(successes / n, low, high, 1 - 2 * alpha, round(n), "Clopper-Pearson")
