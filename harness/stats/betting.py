"""Bounds of a bounded mean that hold at every sample size: betting against each value of it.

Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B
86:1-27. Somebody who bets a share of a fortune on each value exceeding m, at odds that are fair
where the mean is m, ends with 1 / alpha times the fortune with probability at most alpha (Ville
1939). Every m at which the fortune grew that much is refuted. Here the fortune is spread over
several constant shares (a mixture), so the order of the values
does not matter, and with ``anytime`` the bound also holds after every look at more values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.stats.mean import Codes, Floats
from harness.types import Interval

_STEP = 0.7
"""Distance of neighbouring shares in logarithms: between two of them little is lost."""
_ANYTIME_STEP = 1.0
_ANYTIME_LEAST = 4e-3
"""Least share where n is not known: it serves up to about a million values."""
_BINS = 4096
_GRID = 129
"""Values of the reference's mean at which a difference is held."""
_AT_ONCE = 200_000
"""Values times grid points that are held at once."""
_EXACT = 20_000
"""More values than this are rounded, against the bound, to ``_BINS`` steps of the range."""


def shares(n: int, alpha: float, *, anytime: bool) -> Floats:
    """(J,) shares of the largest possible bet; equal weights.

    For one look after n values the best share is near sqrt(2 log(1/alpha) / n) where the spread is
    as large as can be, and larger otherwise. Anytime: independent of n, as n is not known.
    """
    least, step = _ANYTIME_LEAST, _ANYTIME_STEP
    if not anytime:
        least, step = min(0.5, 0.7 * math.sqrt(2 * math.log(1 / alpha) / n)), _STEP
    count = math.ceil(-math.log(least) / step) + 1
    found: Floats = np.exp(np.linspace(math.log(least), 0.0, count))
    return found


def log_wealth(values: Floats, mean: float, low: float, bets: Floats) -> Floats:
    """(...,) log of the fortune after betting that ``values`` (..., n) exceed ``mean``.

    No value may lie below ``low``, and ``mean`` above it.
    """
    return _logs(values - mean, np.ones(values.shape[-1]), mean - low, bets)


def _logs(centred: Floats, counts: Floats, room: Any, bets: Floats) -> Floats:
    """Log fortunes over ``centred`` (..., n), none below -``room``, each ``counts`` (n,) times."""
    excess = centred / room
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.stack([np.log1p(np.maximum(c * excess, -1.0)) @ counts for c in bets])
    top = np.maximum(each.max(axis=0), -1e300)
    found: Floats = top + np.log(np.exp(each - top).mean(axis=0))
    return found


def betting_low(
    values: Floats,
    low: float,
    alpha: float,
    clusters: Codes | None = None,
    *,
    high: float | None = None,
    anytime: bool = False,
) -> float:
    """One-sided lower bound at ``alpha`` of the mean of ``values`` (n,), none below ``low``.

    ``high``: none is above; where it is known, many values are rounded to be faster.

    With ``clusters`` a bet is placed on each cluster as a whole: its sum of (value - m), which has
    mean 0 and is at least m - low times the size of the largest cluster.
    """
    side = _Side(values, low, high, clusters, alpha, anytime)
    needed = math.log(1 / alpha)
    return _last_refuted(lambda mean: side.at(mean) >= needed, low, float(values.mean()))


class _Side:
    """The log fortune of betting on one sample, as a function of the mean that is bet against."""

    def __init__(
        self,
        values: Floats,
        low: float,
        high: float | None,
        clusters: Codes | None,
        alpha: float,
        anytime: bool,
    ) -> None:
        self._low = low
        self._codes: Codes | None = None
        self._largest = 1.0
        units = len(values)
        if clusters is None:
            self._values, counts = np.unique(_rounded(values, low, high), return_counts=True)
            self._counts = counts.astype(np.float64)
        else:
            self._values = values
            self._codes = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
            sizes = np.bincount(self._codes)
            units, self._largest = len(sizes), float(sizes.max())
            self._counts = np.ones(units)
        self._bets = shares(units, alpha, anytime=anytime)

    def at(self, mean: float) -> float:
        room = mean - self._low
        if room <= 1e-12:
            # The mean cannot lie below the floor, nor on it once a value lies above.
            return math.inf if room < 0 or bool((self._values > self._low).any()) else 0.0
        parts = self._values - mean
        if self._codes is not None:
            parts = np.bincount(self._codes, weights=parts) / self._largest
        return float(_logs(parts, self._counts, room, self._bets))

    def curve(self, means: Floats) -> Floats:
        """(k,) the log fortune at each of ``means`` (k,)."""
        if self._codes is not None or len(means) * len(self._values) > _AT_ONCE:
            return np.array([self.at(float(mean)) for mean in means])
        room = means - self._low
        inside = np.maximum(room, 1e-12)[:, None]
        found = _logs(self._values - means[:, None], self._counts, inside, self._bets)
        outside = np.array(
            [self.at(float(m)) if r <= 1e-12 else 0.0 for m, r in zip(means, room, strict=True)]
        )
        return np.where(room > 1e-12, found, outside)


def _rounded(values: Floats, low: float, high: float | None) -> Floats:
    """Many values on few steps of the range, each rounded down, so that the bound can only fall.

    The steps are the range's and not the values', or a value less could lift all others.
    """
    if len(values) <= _EXACT or high is None:
        return values
    span = high - low
    found: Floats = low + np.floor((values - low) / span * _BINS) / _BINS * span
    return np.maximum(np.minimum(found, values), low)


def _last_refuted(refuted: Callable[[float], bool], low: float, high: float) -> float:
    """Largest m in [low, high] that is refuted; all below a refuted one are."""
    bottom, top = low, high
    while top - bottom > 1e-9 * (high - low):
        middle = (bottom + top) / 2
        bottom, top = (middle, top) if refuted(middle) else (bottom, middle)
    return bottom


def betting_interval(
    values: Floats,
    low: float,
    high: float,
    alpha: float,
    clusters: Codes | None = None,
    *,
    anytime: bool = False,
) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of ``values`` (n,) in [``low``, ``high``]."""
    bottom = betting_low(values, low, alpha, clusters, high=high, anytime=anytime)
    top = -betting_low(-values, -high, alpha, clusters, high=-low, anytime=anytime)
    method = "betting confidence sequence" if anytime else "betting"
    if clusters is not None:
        method += f" ({len(np.unique(clusters))} clusters)"
    return Interval(float(values.mean()), bottom, top, 1 - 2 * alpha, len(values), method)


def betting_difference_low(
    candidate: Floats,
    reference: Floats,
    low: float,
    high: float,
    alpha: float,
    clusters: tuple[Codes, Codes] | None = None,
    *,
    anytime: bool = False,
) -> float:
    """Lower bound of mean(candidate) - mean(reference), two independent samples in [low, high].

    The product of two independent fortunes is a fortune: one bets that the candidate's mean is
    above v + m, the other that the reference's is below v. A difference m is refuted where the
    product is at least 1 / alpha for *every* v; between neighbouring v of a grid the lesser factor
    of each side is taken, so that the grid cannot help.
    """
    one, other = (None, None) if clusters is None else clusters
    mine = _Side(candidate, low, high, one, alpha, anytime)
    theirs = _Side(-reference, -high, -low, other, alpha, anytime)
    grid = np.linspace(low, high, _GRID)
    below = theirs.curve(-grid)
    needed = math.log(1 / alpha)

    def refuted(difference: float) -> bool:
        above = mine.curve(grid + difference)
        # A fortune grows as the mean that it bets against falls.
        return bool((above[1:] + below[:-1]).min() >= needed)

    return _last_refuted(refuted, low - high, float(candidate.mean() - reference.mean()))
