"""The decisions under test, and those of the textbook tests beside them."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit
from simulation_cells import ALPHA

from harness.stats.betting import shares
from harness.stats.bounded import proves_bounded
from harness.stats.intervals import NoInterval, Scale, difference_interval

BOUNDED = Scale(0.0, 1.0)


def ships(
    differences: np.ndarray,
    threshold: float,
    scale: Scale = BOUNDED,
    clusters: np.ndarray | None = None,
) -> np.ndarray:
    """This package's decision for each row of (r, n) paired differences."""
    if scale.span is None or scale.binary or clusters is not None:
        return np.array([_ships(d, threshold, scale, clusters) for d in differences], dtype=bool)
    decided = proves_bounded(differences, threshold, -scale.span, scale.span, ALPHA)
    for d, shipped in zip(differences[:2], decided[:2], strict=True):
        if _ships(d, threshold, scale, None) != shipped:
            raise SystemExit(f"the decision at {threshold} is not that of the interval")
    return np.asarray(decided, dtype=bool)


def _ships(d: np.ndarray, threshold: float, scale: Scale, clusters: np.ndarray | None) -> bool:
    candidate, reference = (np.maximum(d, 0), np.maximum(-d, 0)) if scale.span else (d, 0 * d)
    try:
        return difference_interval(candidate, reference, scale, ALPHA, clusters).low > threshold
    except NoInterval:
        return False


def t_ships(differences: np.ndarray, threshold: float) -> np.ndarray:
    """Student's paired t."""
    n = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(n)
    return differences.mean(axis=1) - float(stdtrit(n - 1, 1 - ALPHA)) * error > threshold


def bernstein_ships(differences: np.ndarray, threshold: float, span: float = 2.0) -> np.ndarray:
    """The empirical Bernstein bound (Maurer & Pontil 2009, theorem 4): exact, but wide."""
    n = differences.shape[1]
    log = np.log(2 / ALPHA)
    slack = np.sqrt(2 * differences.var(axis=1, ddof=1) * log / n) + 7 * span * log / (3 * (n - 1))
    return differences.mean(axis=1) - slack > threshold


def cluster_t_ships(differences: np.ndarray, threshold: float, clusters: np.ndarray) -> np.ndarray:
    """Cluster-robust t with G - 1 degrees of freedom (Cameron & Miller 2015)."""
    groups = int(clusters.max()) + 1
    n = differences.shape[1]
    mean = differences.mean(axis=1)
    starts = np.flatnonzero(np.diff(clusters, prepend=-1))
    sums = np.add.reduceat(differences - mean[:, None], starts, axis=1)
    error = np.sqrt(groups / (groups - 1) * (sums**2).sum(axis=1)) / n
    return mean - float(stdtrit(groups - 1, 1 - ALPHA)) * error > threshold


def ships_at_looks(differences: np.ndarray, threshold: float, looks: np.ndarray) -> np.ndarray:
    """(r, looks) whether the sequential bound of (r, n) bounded differences ships at each look.

    The fortune at a look is a sum over the values so far, so all looks take one pass; a sample of
    the answers is held against the bound itself.
    """
    low = -1.0
    bets = shares(differences.shape[1], ALPHA, anytime=True)
    excess = (differences - threshold) / (threshold - low)
    at = np.full((len(bets), len(differences), len(looks)), -np.inf)
    for i, bet in enumerate(bets):
        with np.errstate(divide="ignore"):
            at[i] = np.cumsum(np.log1p(np.maximum(bet * excess, -1.0)), axis=1)[:, looks - 1]
    found = np.logaddexp.reduce(at, axis=0) - np.log(len(bets)) >= -np.log(ALPHA)
    for row in range(min(2, len(differences))):
        for look in (0, len(looks) // 2, len(looks) - 1):
            d = differences[row, : looks[look]]
            sides = np.maximum(d, 0), np.maximum(-d, 0)
            bound = difference_interval(*sides, BOUNDED, ALPHA, anytime=True).low
            if abs(bound - threshold) > 1e-6 and (bound > threshold) != found[row, look]:
                raise SystemExit(f"looks disagree with the bound {bound} at {threshold}")
    return found
