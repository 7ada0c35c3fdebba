"""How many further samples would decide, if estimate and spread stay as they are."""

from __future__ import annotations

import math

from harness.stats.bounded import MIN_T
from harness.stats.mean import t_critical
from harness.stats.quantile import samples_for_quantile
from harness.types import Interval


def further_samples(
    interval: Interval,
    threshold: float,
    ends: tuple[float | None, float | None] = (None, None),
    quantile: float | None = None,
    error: float | None = None,
) -> int | None:
    """Samples beyond ``interval.n`` until a bound clears ``threshold``; None where none would.

    A bound's distance from the estimate shrinks with the square root of n; where no two values
    differ, as in ``constant_interval`` over the range ``ends``. ``error``: the standard error,
    where Student's t would decide from ``MIN_T`` samples on.
    """
    above = interval.estimate > threshold
    gap = abs(interval.estimate - threshold)
    width = interval.estimate - interval.low if above else interval.high - interval.estimate
    if gap == 0:
        return None
    if math.isinf(width):
        return None if quantile is None else _for_quantile(interval, quantile)
    needed = interval.n * (width / gap) ** 2
    if interval.method == "all equal":
        end = ends[0] if above else ends[1]
        reach = 0.0 if end is None else abs(interval.estimate - end)
        if gap >= reach:
            return None
        needed = interval.n * math.log1p(-width / reach) / math.log1p(-gap / reach)
    if error is not None:
        reach = t_critical(max(interval.n, MIN_T) - 1, (1 - interval.level) / 2)
        needed = min(needed, max(MIN_T, interval.n * (reach * error / gap) ** 2))
    return max(1, math.ceil(needed) - interval.n) if needed < 1e12 else None


def _for_quantile(interval: Interval, quantile: float) -> int:
    return max(1, samples_for_quantile(quantile, (1 - interval.level) / 2) - interval.n)
