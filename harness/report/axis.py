"""One horizontal scale: values in, percentages of the drawn width out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.report.words import plain_number


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    """Percent of the width."""
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float

    def at(self, value: float) -> float:
        """Where ``value`` stands, in percent of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 3)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """At most six round values."""
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(
            Tick(self.at(i * step), plain_number(i * step)) for i in range(first, last + 1)
        )


def axis(values: Iterable[float | None], *, pad: float = 0.08) -> Axis:
    """The scale that holds all ``values``, with ``pad`` of its span free on both sides."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low < 1e-12:
        low, high = low - max(abs(low), 1e-3), high + max(abs(high), 1e-3)
    room = (high - low) * pad
    return Axis(low - room, high + room)


def _round_step(rough: float) -> float:
    scale: float = 10.0 ** math.floor(math.log10(rough))
    return scale * next(m for m in (1, 2, 2.5, 5, 10) if m * scale >= rough * (1 - 1e-9))
