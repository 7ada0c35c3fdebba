"""How often a rule says SHIP, when samples are drawn from a population that is known.

Everything a bound looks at is a sum over the sample, so a drawn sample is a vector of counts and
many of them are one matrix product. The decisions are those of ``intervals.py``, held at one
threshold; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.stats.betting import shares
from harness.stats.bounded import guarded_low, trusts_t
from harness.stats.clustered import student_alpha
from harness.stats.constant import unseen_share
from harness.stats.lattice import half_step
from harness.stats.mean import Bools, Codes, Floats, Moments, skewness, t_low
from harness.stats.scale import Scale

REPETITIONS = 2000
_CELLS = 4_000_000
"""Counts that are held at once."""
_DISTINCT = 4096
"""More distinct values than this are binned."""


@dataclass(frozen=True)
class Population:
    """Units (samples, or clusters of them) to draw with replacement.

    Arrays (u,) over units; ``codes`` (n,) the unit of each of n values; None: a value is a unit.
    """

    values: Floats
    """(n,) of the quantity whose mean is bounded below, in the range of ``scale``."""
    weights: Floats
    """(u,) probability of each unit."""
    scale: Scale
    """Range of the values; ``binary``: they are differences of 0s and 1s, or 0s and 1s."""
    paired: bool = True
    """Whether the values are differences: their range is -span to span."""
    codes: Codes | None = None

    @property
    def ends(self) -> tuple[float | None, float | None]:
        span = self.scale.span
        if not self.paired:
            return self.scale.low, self.scale.high
        return (None, None) if span is None else (-span, span)

    def mean(self) -> float:
        if self.codes is None:
            return float(self.weights @ self.values)
        sums, sizes = np.bincount(self.codes, weights=self.values), np.bincount(self.codes)
        return float(self.weights @ sums) / float(self.weights @ sizes)


def observed(
    values: Floats, scale: Scale, *, paired: bool = True, clusters: Codes | None = None
) -> Population:
    """The sample itself as the population, each unit as likely as the others."""
    if clusters is None:
        distinct, counts = np.unique(_binned(values), return_counts=True)
        return Population(distinct, counts / counts.sum(), scale, paired)
    codes = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    units = int(codes.max()) + 1
    return Population(values, np.full(units, 1 / units), scale, paired, codes)


def _binned(values: Floats) -> Floats:
    if len(values) <= _DISTINCT or len(np.unique(values)) <= _DISTINCT:
        return values
    low, high = float(values.min()), float(values.max())
    step = (high - low) / _DISTINCT
    binned: Floats = np.minimum(low + (np.floor((values - low) / step) + 0.5) * step, high)
    return binned


def tilted(population: Population, mean: float) -> Population | None:
    """The same values, reweighted exponentially so that their mean is ``mean``; None: they cannot.

    Exponential tilting moves the mean with the least change of the distribution (Efron 1981,
    Canadian Journal of Statistics 9:139-172) and stays in the metric's range, as shifting would
    not.
    """
    codes = population.codes
    centred = population.values - mean
    excess = centred if codes is None else np.bincount(codes, weights=centred).astype(np.float64)
    # A mean is attainable where units lie on both sides of it.
    reach = float(np.abs(excess).max())
    if not (excess.min() < 0 < excess.max()):
        return None
    low, high = -700 / reach, 700 / reach
    for _ in range(200):
        rate = (low + high) / 2
        weights = _weights(population.weights, rate * excess)
        low, high = (rate, high) if weights @ excess < 0 else (low, rate)
    found = replace(population, weights=_weights(population.weights, low * excess))
    # Close to the ends of what is attainable nearly all weight is on one value: no population that
    # anybody would draw from.
    return found if (found.weights.max() < 0.999 and abs(found.mean() - mean) < 1e-6) else None


def _weights(weights: Floats, exponents: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        logs = np.log(weights) + exponents
    found = np.exp(logs - logs.max())
    normed: Floats = found / found.sum()
    return normed


def with_rare_harm(population: Population, mean: float) -> Population | None:
    """The population with a share of units that lose all they can, so that its mean is ``mean``.

    None where the mean is not below the population's, or the range is unknown.
    """
    worst, present = population.ends[0], population.mean()
    if worst is None or not worst < mean < present:
        return None
    share = (present - mean) / (present - worst)
    weights = np.append(population.weights * (1 - share), share)
    values = np.append(population.values, worst)
    if population.codes is None:
        return replace(population, values=values, weights=weights)
    units = len(population.weights)
    size = max(1, round(len(population.values) / units))
    harmed = np.full(size, units, np.int64)
    values = np.append(population.values, np.full(size, worst))
    codes = np.append(population.codes, harmed)
    found = replace(population, values=values, weights=weights, codes=codes)
    # Clusters differ in size, so the share is set by the mean itself.
    return _set_last(found, mean)


def _set_last(population: Population, mean: float) -> Population:
    codes = population.codes
    assert codes is not None
    excess = np.bincount(codes, weights=population.values - mean)
    others = population.weights[:-1] / population.weights[:-1].sum()
    gain, loss = float(others @ excess[:-1]), -float(excess[-1])
    share = gain / (gain + loss)
    return replace(population, weights=np.append(others * (1 - share), share))


def ship_rate(
    population: Population,
    units: int,
    threshold: float,
    alpha: float,
    *,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> float:
    """Share of the drawn samples of ``units`` units whose lower bound exceeds ``threshold``."""
    rng = np.random.default_rng(seed)
    kinds = len(population.weights)
    rows = max(1, min(repetitions, _CELLS // kinds))
    shipped = 0
    decide = _Decision(population, units, threshold, alpha)
    for start in range(0, repetitions, rows):
        counts = rng.multinomial(units, population.weights, min(rows, repetitions - start))
        shipped += int(decide(counts.astype(np.float64)).sum())
    return shipped / repetitions


def sequential_ship_rate(
    population: Population,
    looks: Sequence[int],
    threshold: float,
    alpha: float,
    *,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> float:
    """Share of the drawn sequences whose anytime-valid bound exceeds ``threshold`` at any look.

    ``looks``: how many further units each look sees. Needs a bounded range.
    """
    low = population.ends[0]
    if low is None or threshold <= low:
        raise ValueError("a confidence sequence needs a range that the threshold lies in")
    rng = np.random.default_rng(seed)
    centred, codes = population.values - threshold, population.codes
    size = 1.0
    if codes is not None:
        centred = np.bincount(codes, weights=centred).astype(np.float64)
        size = float(np.bincount(codes).max())
    bets = shares(sum(looks), alpha, anytime=True)
    with np.errstate(divide="ignore"):
        logs = np.log1p(np.maximum(np.outer(centred / size / (threshold - low), bets), -1.0))
    logs = np.maximum(logs, -1e6)
    fortunes = np.zeros((repetitions, len(bets)))
    sums = np.zeros(repetitions)
    shipped = np.zeros(repetitions, bool)
    rows = max(1, _CELLS // len(population.weights))
    for batch in looks:
        for start in range(0, repetitions, rows):
            part = slice(start, min(start + rows, repetitions))
            counts = rng.multinomial(batch, population.weights, part.stop - start)
            fortunes[part] += counts @ logs
            sums[part] += counts @ centred
        top = fortunes.max(axis=1)
        wealth = top + np.log(np.exp(fortunes - top[:, None]).mean(axis=1))
        shipped |= (wealth >= -np.log(alpha)) & (sums > 0)
    return float(shipped.mean())


class _Decision:
    """Whether each of many drawn samples proves the claim."""

    def __init__(self, population: Population, units: int, threshold: float, alpha: float) -> None:
        self._of, self._units = population, units
        self._threshold, self._alpha = threshold, alpha
        values, codes = population.values, population.codes
        low = population.ends[0]
        # About the threshold, so that no precision is lost.
        d = values - threshold
        powers = np.stack([np.ones_like(d), d, d * d, d**3, values > 0, values < 0], axis=1)
        self._sums = powers if codes is None else _by_unit(powers, codes)
        self._range = (float(values.min()), float(values.max()))
        self._step = half_step(values)
        size = len(values) / len(population.weights) if codes is not None else 1.0
        bets = shares(max(1, round(units * size)), alpha, anytime=False)
        self._logs: Floats | None = None
        if low is not None and threshold > low:
            with np.errstate(divide="ignore"):
                logs = np.log1p(np.maximum(np.outer(d / (threshold - low), bets), -1.0))
            # A fortune that is lost is lost; minus infinity would not survive a product with 0.
            logs = np.maximum(logs, -1e6)
            self._logs = logs if codes is None else _by_unit(logs, codes)

    def __call__(self, counts: Floats) -> Bools:
        """(R,) for ``counts`` (R, u) of units."""
        n, first, second, third, up, down = (counts @ self._sums).T
        found = self._moments(n, first, second, third)
        if self._of.scale.binary and self._of.codes is not None:
            robust = self._robust_moments(counts, n, first)
            varied = (found.error > 0) & (robust.error > 1e-12)
            ratio = (found.error / np.where(varied, robust.error, 1.0)) ** 2
            shrink = np.minimum(1.0, np.where(varied, ratio, self._units / n))
            alpha = student_alpha(robust.df, self._alpha)
            plain = self._counted(shrink * n, shrink * up, shrink * down, alpha)
        elif self._of.scale.binary:
            plain = self._counted(n, up, down, self._alpha)
        elif self._of.ends[0] is None:
            plain = t_low(found, self._alpha) > 0
        else:
            plain = self._bounded(counts, n, found)
        if self._of.codes is None:
            return np.asarray(plain)
        return np.asarray(plain & self._robust(counts, n, first))

    def _moments(self, n: Floats, first: Floats, second: Floats, third: Floats) -> Moments:
        mean = first / n
        squares = np.maximum(second - n * mean**2, 0.0)
        # Rounding leaves a trace of spread where there is none.
        squares = np.where(squares <= 1e-12 * np.maximum(second, 1e-300), 0.0, squares)
        cubes = third - 3 * mean * second + 2 * n * mean**3
        error = np.sqrt(squares / np.maximum(n - 1, 1) / n)
        return Moments(mean, error, skewness(cubes, squares), float(np.median(n)) - 1)

    def _bounded(self, counts: Floats, n: Floats, found: Moments) -> Any:
        low, threshold = self._of.ends[0], self._threshold
        assert low is not None
        size = round(float(np.median(n)))
        by_t = guarded_low(found, size, low - threshold, self._alpha, self._step) > 0
        if self._logs is None:
            by_bets = found.mean > 0
        else:
            logs = counts @ self._logs
            top = logs.max(axis=1, keepdims=True)
            wealth = top[:, 0] + np.log(np.exp(logs - top).mean(axis=1))
            by_bets = (wealth >= -np.log(self._alpha)) & (found.mean > 0)
        share = unseen_share(self._units, self._alpha)
        constant = found.mean - share * (found.mean + threshold - low) > 0
        trusted = trusts_t(size, found.skew)
        return np.where(found.error == 0, constant, np.where(trusted, by_t, by_bets))

    def _counted(self, n: Floats, up: Floats, down: Floats, alpha: float) -> Any:
        """Binary: Tango's test for differences, Clopper and Pearson's for a variant's own."""
        from harness.stats.tango import tango_exceeds

        span = self._of.scale.span or 1.0
        if self._of.paired:
            share = unseen_share(self._units, self._alpha)
            none = (up == 0) & (down == 0)
            proved = tango_exceeds(self._threshold / span, up, down, n, alpha)
            return np.where(none, -share * span > self._threshold, proved)
        from scipy.special import betainc

        low = self._of.scale.low or 0.0
        successes = up if low >= 0 else n - down
        limit = np.clip((self._threshold - low) / span, 0.0, 1.0)
        # The chance of as many successes or more, for counts that need not be whole.
        chance = betainc(np.maximum(successes, 1e-300), n - successes + 1, limit)
        return np.where(successes > 0, chance, 1.0) <= alpha

    def _robust(self, counts: Floats, n: Floats, first: Floats) -> Any:
        """``clustered.cluster_interval`` of each drawn sample."""
        found = self._robust_moments(counts, n, first)
        by_t = t_low(found, self._alpha) - self._step / n
        residuals = self._sums[:, 1] - found.mean[:, None] * self._sums[:, 0]
        farthest = np.where(counts > 0, np.abs(residuals), 0.0).max(axis=1)
        reach = unseen_share(self._units, self._alpha) * self._units * farthest / n
        return (by_t > 0) & (found.mean - reach > 0)

    def _robust_moments(self, counts: Floats, n: Floats, first: Floats) -> Moments:
        mean = first / n
        sizes, sums = self._sums[:, 0], self._sums[:, 1]
        residuals = sums - mean[:, None] * sizes
        parts = residuals / (n[:, None] - sizes)
        squares = (counts * parts**2).sum(axis=1)
        groups = self._units
        error = np.sqrt((groups - 1) / groups * squares)
        df = float(np.median(n**2 / (counts @ sizes**2))) - 1
        return Moments(mean, error, skewness((counts * parts**3).sum(axis=1), squares), df)


def _by_unit(rows: Floats, codes: Codes) -> Floats:
    """(u, k) sums of ``rows`` (n, k)."""
    return np.stack([np.bincount(codes, weights=column) for column in rows.T], axis=1)
