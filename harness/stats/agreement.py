"""How far two raters agree beyond chance, and how surely.

Tables of counts (..., k, k): rows are the first rater's categories, columns the second's. The
leading axes are of draws or subjects; every function works on all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.mean import Codes, Floats

Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal"]
DRAWS = 4000
_CHUNK = 4_000_000
"""Random numbers that are drawn at once."""


def tables(first: Codes, second: Codes, k: int, owner: Codes, owners: int) -> Floats:
    """(owners, k, k) counts of the pairs of categories (n,) in 0 … k-1, by whom they belong to."""
    flat = (owner * k + first) * k + second
    counts = np.bincount(flat, minlength=owners * k * k).astype(float)
    return counts.reshape(owners, k, k)


def kappa(counts: Floats, weights: Weights = "none") -> Floats:
    """Cohen's kappa (Cohen 1960), or weighted kappa (Cohen 1968) with disagreements that weigh as
    the distance of the categories or its square; shape (...). NaN where chance alone agrees fully.
    """
    k = counts.shape[-1]
    weight = _disagreement(k, weights)
    total = counts.sum((-2, -1))
    expected = counts.sum(-1)[..., :, None] * counts.sum(-2)[..., None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (weight * counts).sum((-2, -1)) / total
        chance = (weight * expected).sum((-2, -1)) / total**2
        found: Floats = np.where(chance > 0, 1 - seen / chance, np.nan)
    return found


def alpha(counts: Floats, level: Level = "nominal") -> Floats:
    """Krippendorff's alpha for two raters without gaps (Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability"), shape (...). NaN where all values are the same."""
    together = counts + np.swapaxes(counts, -1, -2)
    share = together.sum(-1)
    n = share.sum(-1)
    distance = _distance(share, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (together * distance).sum((-2, -1))
        chance = (share[..., :, None] * share[..., None, :] * distance).sum((-2, -1)) / (n - 1)
        found: Floats = np.where(chance > 0, 1 - seen / chance, np.nan)
    return found


def _disagreement(k: int, weights: Weights) -> Floats:
    places = np.arange(k, dtype=float)
    apart = np.abs(places[:, None] - places[None, :])
    if weights == "none":
        return (apart > 0).astype(float)
    return apart if weights == "linear" else apart**2


def _distance(share: Floats, level: Level) -> Floats:
    """(..., k, k): squared distances of the categories."""
    k = share.shape[-1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(k), (*share.shape, k))
    upto = np.cumsum(share, -1)
    # Values between two categories, and half of those in each.
    middle = upto - share / 2
    return (middle[..., :, None] - middle[..., None, :]) ** 2


@dataclass(frozen=True)
class Draws:
    """Draws from the posterior of what a larger lot of subjects would show.

    Bayesian bootstrap (Rubin 1981, Annals of Statistics 9:130) over the subjects, each with all
    its ratings, plus Perks' prior: one observation spread evenly over the cells of a table, so that
    thirty agreements in a row do not prove agreement for ever (their plain bootstrap interval would
    have no width).
    """

    weights: Floats
    """(draws, subjects)."""
    seed: int

    @classmethod
    def of(cls, subjects: int, *, draws: int = DRAWS, seed: int = 0) -> Draws:
        rng = np.random.default_rng(seed)
        rows = max(1, _CHUNK // max(1, subjects))
        parts = [
            rng.standard_exponential((min(rows, draws - start), subjects))
            for start in range(0, draws, rows)
        ]
        return cls(np.concatenate(parts), seed)

    def tables(self, by_subject: Floats) -> Floats:
        """(draws, k, k) from (subjects, k, k)."""
        subjects, k, _ = by_subject.shape
        drawn = (self.weights @ by_subject.reshape(subjects, k * k)).reshape(-1, k, k)
        rng = np.random.default_rng([self.seed, 1])
        return drawn + rng.standard_gamma(1 / k**2, drawn.shape)

    def shares(self, hits: Floats, asked: Floats) -> Floats:
        """(draws,) of a share, from each subject's (subjects,) hits and how many were possible;
        with Jeffreys' prior in place of Perks'."""
        rng = np.random.default_rng([self.seed, 2])
        prior = rng.standard_gamma(0.5, (2, len(self.weights)))
        found: Floats = (self.weights @ hits + prior[0]) / (self.weights @ asked + prior.sum(0))
        return found


def interval(draws: Floats, level: float) -> tuple[float, float] | None:
    """Central part of the draws that holds ``level`` of them; None where any is NaN."""
    if not len(draws) or np.isnan(draws).any():
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def codes(values: npt.NDArray[np.str_]) -> tuple[Codes, int]:
    """Numbers of the distinct values, and how many there are."""
    found, index = np.unique(values, return_inverse=True)
    return index.astype(np.int64), len(found)
