"""What values a metric can take, and intervals moved onto it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.types import Interval


class NoInterval(ValueError):
    """The values support no interval; the message says why, and what would."""


@dataclass(frozen=True)
class Scale:
    """What values a metric can take; None: unbounded on that side."""

    low: float | None = None
    high: float | None = None
    binary: bool = False

    @property
    def span(self) -> float | None:
        return None if self.low is None or self.high is None else self.high - self.low

    def flipped(self) -> Scale:
        """The scale of the negated values."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Scale(low, high, self.binary)


def scaled(interval: Interval, span: float, low: float = 0.0) -> Interval:
    """An interval of a proportion on the metric's own scale."""
    if (span, low) == (1.0, 0.0):
        return interval
    estimate, bottom, top = (
        low + span * x for x in (interval.estimate, interval.low, interval.high)
    )
    return replace(interval, estimate=estimate, low=bottom, high=top)


def clipped(interval: Interval, low: float | None, high: float | None) -> Interval:
    """The part of an interval that lies within what is possible."""
    bottom = interval.low if low is None else max(interval.low, low)
    top = interval.high if high is None else min(interval.high, high)
    return replace(interval, low=bottom, high=top)


def hull(interval: Interval, other: Interval) -> Interval:
    """Both intervals together, under the name of the first and, where it is wider, the other."""
    low, high = min(interval.low, other.low), max(interval.high, other.high)
    wider = (low, high) != (interval.low, interval.high)
    method = f"{interval.method}, not narrower than {other.method}" if wider else interval.method
    return replace(interval, low=low, high=high, method=method)
