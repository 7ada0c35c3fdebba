"""Binary pairs, exactly: the chance of SHIP summed over all outcomes (wins, losses).

A pair is won (only the candidate succeeds), lost (only the reference does) or neither. For given
losses a gate ships from some number of wins upwards, so its whole behaviour at n pairs is one
boundary, and the sum over outcomes is one binomial tail for each number of losses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import bdtrc, gammaln, ndtri, xlog1py, xlogy
from simulation_cells import ALPHA

from harness.stats.intervals import Scale, difference_interval

BASE_RATES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)
BINARY = Scale(0.0, 1.0, binary=True)
Ships = Callable[[int, int, int, float], bool]


def pair_rates(base: float, difference: float, concordant: bool) -> tuple[float, float] | None:
    """Chances of a won and of a lost pair; None where the candidate's rate leaves [0, 1].

    ``base``: success rate of the reference. Independent sides, or strongly concordant ones: a
    tenth of the discordance beyond what the difference itself needs.
    """
    candidate = base + difference
    if not 0 <= candidate <= 1:
        return None
    won, lost = candidate * (1 - base), base * (1 - candidate)
    if concordant:
        spare = 0.1 * min(won, lost)
        won, lost = max(difference, 0.0) + spare, max(-difference, 0.0) + spare
    return won, lost


def gate_ships(wins: int, losses: int, n: int, threshold: float) -> bool:
    """The decision of this package's gate."""
    candidate, reference = np.zeros(n), np.zeros(n)
    candidate[:wins] = 1.0
    reference[wins : wins + losses] = 1.0
    return difference_interval(candidate, reference, BINARY, ALPHA).low > threshold


@cache
def boundary(n: int, threshold: float, ships: Ships = gate_ships) -> np.ndarray:
    """Least wins that ship, for 0 to n losses; n + 1 where none do.

    Walks upwards: with more losses it never takes fewer wins.
    """
    least = np.full(n + 1, n + 1)
    wins = 0
    for losses in range(n + 1):
        while wins <= n - losses and not ships(wins, losses, n, threshold):
            wins += 1
        if wins > n - losses:
            break
        least[losses] = wins
    return least


def whole_boundary(n: int, threshold: float, ships: Ships = gate_ships) -> bool:
    """Whether ``boundary`` describes every outcome at n pairs: the check of its assumption."""
    least = boundary(n, threshold, ships)
    return all(
        ships(wins, losses, n, threshold) == (wins >= least[losses])
        for losses in range(n + 1)
        for wins in range(n - losses + 1)
    )


def chance(least: np.ndarray, won: float, lost: float) -> float:
    """P(SHIP) of a gate with this boundary when pairs are won and lost at these rates."""
    n = len(least) - 1
    losses = np.arange(n + 1)
    weight = np.exp(
        gammaln(n + 1)
        - gammaln(losses + 1)
        - gammaln(n - losses + 1)
        + xlogy(losses, lost)
        + xlog1py(n - losses, -lost)
    )
    keep = (weight > 1e-15) & (least <= n - losses)
    rest, least, weight = (n - losses)[keep], least[keep], weight[keep]
    share = min(won / (1 - lost), 1.0) if lost < 1 else 0.0
    tail = np.where(least > 0, bdtrc(np.maximum(least - 1, 0), rest, share), 1.0)
    return float(weight @ tail)


def tango_statistic(wins: np.ndarray, losses: np.ndarray, n: int, d: float) -> np.ndarray:
    """Tango's (1998) score statistic of H0: difference = d, for arrays of outcomes."""
    b = -wins - losses + (2 * n - wins + losses) * d
    c = -losses * d * (1 - d)
    q = (np.sqrt(np.maximum(b * b - 8 * n * c, 0)) - b) / (4 * n)
    variance = n * (2 * q + d * (1 - d))
    excess = wins - losses - n * d
    with np.errstate(divide="ignore", invalid="ignore"):
        z = excess / np.sqrt(variance)
    return np.where(variance > 0, z, np.where(excess > 0, np.inf, 0.0))


def outcomes(n: int) -> tuple[np.ndarray, np.ndarray]:
    wins, losses = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = wins + losses <= n
    return wins[possible], losses[possible]


def _probabilities(
    wins: np.ndarray, losses: np.ndarray, n: int, won: float, lost: float
) -> np.ndarray:
    rest = n - wins - losses
    return np.exp(
        gammaln(n + 1)
        - gammaln(wins + 1)
        - gammaln(losses + 1)
        - gammaln(rest + 1)
        + xlogy(wins, won)
        + xlogy(losses, lost)
        + xlogy(rest, max(1 - won - lost, 0.0))
    )


@cache
def exact_region(n: int, threshold: float, points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes that the exact unconditional test rejects: the best known test here.

    Ordered by Tango's statistic, the region is the largest whose probability stays at most alpha
    whatever the discordance (Sidik 2003, Statistics in Medicine 22:265-278), over a grid of it.
    """
    wins, losses = outcomes(n)
    z = tango_statistic(wins, losses, n, threshold)
    likely = z > ndtri(1 - 3 * ALPHA)
    wins, losses, z = wins[likely], losses[likely], z[likely]
    order = np.argsort(-z, kind="stable")
    wins, losses, z = wins[order], losses[order], z[order]
    ends = np.append(np.flatnonzero(np.diff(z)), len(z) - 1)
    allowed = np.ones(len(ends), dtype=bool)
    for spare in nuisance(threshold, points):
        won, lost = max(threshold, 0.0) + spare, max(-threshold, 0.0) + spare
        allowed &= np.cumsum(_probabilities(wins, losses, n, won, lost))[ends] <= ALPHA
    stop = 0 if not allowed[0] else ends[len(ends) if allowed.all() else np.argmin(allowed) - 1] + 1
    return wins[:stop], losses[:stop]


def nuisance(threshold: float, points: int) -> np.ndarray:
    """Discordance beyond the difference, halved: from none to all there is room for."""
    most = (1 - abs(threshold)) / 2
    return most * np.linspace(0, 1, points) ** 2


def region_chance(region: tuple[np.ndarray, np.ndarray], n: int, won: float, lost: float) -> float:
    return float(_probabilities(*region, n, won, lost).sum())


def tango_ships(wins: int, losses: int, n: int, threshold: float) -> bool:
    """Tango's test as published."""
    z = tango_statistic(np.array([wins]), np.array([losses]), n, threshold)[0]
    return bool(z > ndtri(1 - ALPHA))


def mcnemar_ships(wins: int, losses: int, n: int, threshold: float) -> bool:
    """The exact one-sided McNemar test; it knows no margin but 0."""
    if threshold != 0:
        raise ValueError("McNemar's test has no margin")
    return wins > 0 and bool(bdtrc(wins - 1, wins + losses, 0.5) < ALPHA)
