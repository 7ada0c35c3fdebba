"""What a sample without any spread still bounds."""

from __future__ import annotations

from harness.types import Interval


def constant_interval(
    value: float, n: int, alpha: float, low: float, high: float, units: int | None = None
) -> Interval:
    """Interval of the mean of a quantity in [``low``, ``high``] whose n draws all equal ``value``.

    Had a share q of the population another value, all ``units`` (n, or the number of clusters)
    draws would agree with probability (1 - q)^units; that is below ``alpha`` for
    q > 1 - alpha^(1/units). The bound puts that share at the far end of the range: exact, and
    for value = 0 the "rule of three" (Hanley & Lippman-Hand 1983) at alpha = 0.05.
    """
    share = unseen_share(units or n, alpha)
    return Interval(
        value,
        value - share * (value - low),
        value + share * (high - value),
        1 - 2 * alpha,
        n,
        "all equal",
    )


def unseen_share(n: int, alpha: float) -> float:
    """The share of a population that shows in none of ``n`` draws with probability ``alpha``."""
    return float(1 - alpha ** (1 / n))
