"""Power of a claim at a size, the samples it needs, and the smallest effect a size can see.

Every number is a share of simulated samples that the gate itself would ship (``simulate.py``). The
normal approximation n = (z_alpha + z_beta)^2 * variance / gap^2 (Chow, Shao, Wang & Lokhnygina
2017, "Sample Size Calculations in Clinical Research", chapter 3) is only where a search begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.mean import Codes, Floats
from harness.stats.quantile import quantile_ship_rate
from harness.stats.simulate import (
    REPETITIONS,
    Population,
    sequential_ship_rate,
    ship_rate,
    tilted,
)

MOST = 10_000_000
"""Samples beyond which no search goes."""
_LOOKS = 40
"""Looks of a sequence that are simulated at most: fewer looks than that lose little power."""
_CLOSE = 0.007
"""Of a simulated share: less than one Monte Carlo error at 2,000 repetitions."""
DISTINCT, UNITS = 512, 1000
"""Values and clusters that a search draws from; fewer where every sample has many looks."""
DISTINCT_OFTEN, UNITS_OFTEN = 128, 300

Family = Callable[[float], Population | None]
"""The population whose mean is the argument; None: there is none."""


@dataclass(frozen=True)
class Design:
    """What is to be proved (mean above ``threshold``, at ``alpha``), and how samples are drawn."""

    threshold: float
    alpha: float
    unit: float = 1.0
    """Samples that a unit (a cluster) has on average."""
    least: int = 2
    """Fewer samples than this never ship."""
    least_units: int = 1
    """Nor do fewer units."""
    batch: int | None = None
    """Samples between two looks; None: one look, at the end."""
    repetitions: int = REPETITIONS
    seed: int = 0

    def smallest(self) -> int:
        """The fewest samples that can ship."""
        return max(self.least, math.ceil(self.least_units * self.unit))


def power(population: Population, design: Design, n: int) -> float:
    """Chance that ``n`` samples of ``population`` ship."""
    if n < design.smallest():
        return 0.0
    units = max(1, round(n / design.unit))
    options = {"repetitions": design.repetitions, "seed": design.seed}
    if design.batch is None:
        return ship_rate(population, units, design.threshold, design.alpha, **options)
    looks = _looks(units, design)
    return sequential_ship_rate(population, looks, design.threshold, design.alpha, **options)


def _looks(units: int, design: Design) -> list[int]:
    """Units that each look adds; what is too few to ship is not looked at."""
    batch = max(1, round((design.batch or 1) / design.unit), math.ceil(units / _LOOKS))
    first = min(units, max(batch, math.ceil(design.smallest() / design.unit)))
    ends = [*range(first, units, batch), units]
    return [int(step) for step in np.diff(ends, prepend=0) if step > 0]


def samples_needed(population: Population, design: Design, target: float) -> int | None:
    """Least number of samples with a power of ``target``, to about 2 in 100.

    None: more than ``MOST``, or never, as the mean does not exceed the threshold.
    """
    gap = population.mean() - design.threshold
    if gap <= 0:
        return None
    least = design.smallest()
    if power(population, design, least) >= target:
        return least
    guess = _reach(design.alpha, target) * math.sqrt(variance(population)) / gap
    root = _crossing(
        lambda x, of: power(population, of, round(x * x)),
        target,
        design,
        max(guess, math.sqrt(least)),
        math.sqrt(MOST),
    )
    return None if root is None else max(least, round(root * root))


def smallest_effect(
    family: Family, like: Population, design: Design, n: int, target: float
) -> float | None:
    """Least mean that ``n`` samples prove with a power of ``target``; None: no mean can be seen.

    ``like``: a population of about the spread that is to be expected.
    """
    if n < design.smallest():
        return None

    def rate(distance: float, of: Design) -> float | None:
        population = family(design.threshold + distance)
        return None if population is None else power(population, of, n)

    guess = _reach(design.alpha, target) * math.sqrt(max(variance(like), 1e-12) / n)
    found = _crossing(rate, target, design, guess, math.inf)
    return None if found is None else design.threshold + found


def reweighted(population: Population, threshold: float, units: int) -> Family:
    """The values of a pilot of ``units`` units at other means, by reweighting.

    A pilot that shows nothing on one side of the threshold (no loss at all) says little of a truth
    there: then half a unit at each end of the range is added to it, as Haldane (1956, Annals of
    Human Genetics 20:309-311) adds half a count.
    """
    widened = _widened(population, 0.5 / units)
    base = population if tilted(population, threshold) is not None else widened
    return lambda mean: tilted(base, mean) or tilted(widened, mean)


def _widened(population: Population, weight: float) -> Population:
    low, high = population.ends
    if low is None or high is None:
        return population
    return _with_unit(_with_unit(population, low, weight), high, weight)


def _with_unit(population: Population, value: float, weight: float) -> Population:
    """With one more unit, of usual size, whose values all equal ``value``."""
    codes, size = population.codes, 1
    if codes is not None:
        size = max(1, round(len(population.values) / len(population.weights)))
        codes = np.append(codes, np.full(size, len(population.weights), np.int64))
    values = np.append(population.values, np.full(size, value))
    weights = np.append(population.weights, weight) / (1 + weight)
    return replace(population, values=values, weights=weights, codes=codes)


def coarse(population: Population, *, often: bool = False) -> Population:
    """A population that is quick to draw from, with the same mean: a search draws it a lot.

    At most ``DISTINCT`` values, each the mean of those it stands for; or ``UNITS`` of the clusters,
    drawn with a fixed seed. ``often``: at most ``DISTINCT_OFTEN`` and ``UNITS_OFTEN``.
    """
    if population.codes is not None:
        return _fewer_clusters(population, population.codes, UNITS_OFTEN if often else UNITS)
    values, weights = population.values, population.weights
    most = DISTINCT_OFTEN if often else DISTINCT
    if len(values) <= most:
        return population
    low, high = float(values.min()), float(values.max())
    bins = np.minimum(((values - low) / (high - low) * most).astype(np.int64), most - 1)
    share: Floats = np.bincount(bins, weights, most).astype(np.float64)
    total = np.bincount(bins, weights * values, most)
    kept = share > 0
    return replace(population, values=total[kept] / share[kept], weights=share[kept])


def _fewer_clusters(population: Population, codes: Codes, most: int) -> Population:
    units = len(population.weights)
    if units <= most:
        return population
    drawn = np.sort(np.random.default_rng(0).permutation(units)[:most])
    kept = np.isin(codes, drawn)
    fewer = replace(
        population,
        values=population.values[kept],
        weights=np.full(most, 1 / most),
        codes=np.searchsorted(drawn, codes[kept]).astype(np.int64),
    )
    return tilted(fewer, population.mean()) or fewer


def variance(population: Population) -> float:
    """n times the variance of the mean of n samples."""
    if population.codes is None:
        centred = population.values - population.mean()
        return float(population.weights @ (centred * centred))
    sizes = np.bincount(population.codes)
    sums = np.bincount(population.codes, weights=population.values - population.mean())
    return float(population.weights @ (sums * sums)) / float(population.weights @ sizes)


def _reach(alpha: float, target: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - alpha) + ndtri(target))


def _crossing(
    rate: Callable[[float, Design], float | None],
    target: float,
    design: Design,
    start: float,
    most: float,
) -> float | None:
    """Where a rising ``rate`` of x > 0 reaches ``target``; None: nowhere up to ``most``.

    First with a quarter of the repetitions, then from there with all.
    """
    rough = replace(design, repetitions=max(1, design.repetitions // 4))
    near = _solved(lambda x: rate(x, rough), target, design.alpha, start, most, 2 * _CLOSE)
    if near is None:
        return None
    return _solved(lambda x: rate(x, design), target, design.alpha, near, most, _CLOSE)


def _solved(
    rate: Callable[[float], float | None],
    target: float,
    alpha: float,
    start: float,
    most: float,
    close: float,
) -> float | None:
    """An x > 0 where ``rate`` is within ``close`` of ``target``, or where it leaps over it.

    Where a bound lies a multiple of the standard error below the estimate, probit(rate) is
    c * x - z_alpha, for x the distance from the threshold as for x the root of n: that line leads
    from one guess to the next, inside a bracket that simulation has confirmed. ``rate`` is None
    beyond what is possible.
    """
    from scipy.special import ndtri

    below, above, x, possible = 0.0, math.inf, min(start, most), True
    for _ in range(60):
        found = rate(x)
        if found is not None and abs(found - target) <= close:
            return x
        if found is not None and found < target:
            if x >= most:
                return None
            below = x
        else:
            above, possible = x, found is not None
        if above <= below * 1.005:
            break
        z = float(ndtri(1 - alpha))
        slope = z + float(ndtri(min(max(found or 0.0, 0.001), 0.999)))
        guess = min(most, x * min(max((z + float(ndtri(target))) / max(slope, 0.1), 1 / 3), 3.0))
        inside = below < guess < above
        x = guess if inside else (below + above) / 2
    return above if possible and above < math.inf else None


# ------------------------------------------------------------------------------ quantiles


def quantile_samples(p: float, within: float, alpha: float, target: float, least: int) -> int:
    """Least number of values, at least ``least``, that prove with a power of ``target`` that the
    ``p`` quantile keeps a limit, where a share ``within`` > ``p`` of the population does; exact."""
    high = least
    while quantile_ship_rate(high, p, within, alpha) < target and high < MOST:
        high *= 2
    low = max(least, high // 2)
    # The rate is a saw, so that only runs of it are searched.
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        reached = quantile_ship_rate(middle, p, within, alpha) >= target
        low, high = (low, middle) if reached else (middle, high)
    return low if quantile_ship_rate(low, p, within, alpha) >= target else high


def smallest_share(n: int, p: float, alpha: float, target: float) -> float | None:
    """Least share of the population within the limit that ``n`` values prove for the ``p``
    quantile with a power of ``target``; None: n supports no bound."""
    if quantile_ship_rate(n, p, 1.0, alpha) < target:
        return None
    low, high = p, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        reached = quantile_ship_rate(n, p, middle, alpha) >= target
        low, high = (low, middle) if reached else (middle, high)
    return high
