"""Win rates as they would be if both answers were of one length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats.mean import Floats

MOST_STEPS = 100
PRIOR = 1.0
"""Weight of a ridge, in observations of a draw: keeps the fit finite where one side wins everything
(the reference implementation has an L1 penalty, chosen by cross-validation)."""


@dataclass(frozen=True)
class LengthControlled:
    """A logistic regression of preferences on the model and the difference in length."""

    win_rate: float
    """At a difference of zero."""
    raw: float
    length_weight: float
    """Of tanh(difference / its standard deviation): above 0 the longer answer is preferred."""
    se: float
    """Standard error of ``win_rate``, by the delta method with the sandwich covariance."""
    n: int


def length_controlled(wins: Floats, lengths: Floats, other_lengths: Floats) -> LengthControlled:
    """``wins`` (n,) in 0 … 1 against answers of ``other_lengths`` (n,), in characters.

    Dubois et al. 2024, "Length-Controlled AlpacaEval" (arXiv 2404.04475), equation 2 without the
    instruction's difficulty, which takes many models on the same questions to learn:
    P(win) = logistic(theta + phi * tanh((l - l') / sd(l - l'))); the controlled rate is the mean of
    the prediction at l = l', that is logistic(theta). Raises ValueError for fewer than 2 values.
    """
    n = len(wins)
    if n < 2:
        raise ValueError(f"{n} preferences give no regression")
    apart = lengths - other_lengths
    spread = float(apart.std(ddof=1))
    features = np.stack([np.ones(n), np.tanh(apart / spread) if spread > 0 else np.zeros(n)], 1)
    weights = _fit(features, wins)
    rate = _logistic(weights[:1])[0]
    covariance = _sandwich(features, wins, weights)
    slope = rate * (1 - rate)
    return LengthControlled(
        win_rate=float(rate),
        raw=float(wins.mean()),
        length_weight=float(weights[1]),
        se=float(slope * np.sqrt(covariance[0, 0])),
        n=n,
    )


def _fit(features: Floats, wins: Floats) -> Floats:
    """Newton's method; the loss is strictly convex."""
    weights: Floats = np.zeros(features.shape[1])
    for _ in range(MOST_STEPS):
        fitted = _logistic(features @ weights)
        gradient = features.T @ (fitted - wins) + PRIOR / 4 * weights
        step = np.linalg.solve(_curvature(features, fitted), gradient)
        # Far from the minimum a full step may overshoot.
        weights = weights - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return weights


def _curvature(features: Floats, fitted: Floats) -> Floats:
    weight = fitted * (1 - fitted)
    return features.T @ (features * weight[:, None]) + PRIOR / 4 * np.eye(features.shape[1])


def _sandwich(features: Floats, wins: Floats, weights: Floats) -> Floats:
    """Robust to preferences that are shares, not coin flips (Huber 1967; White 1982)."""
    fitted = _logistic(features @ weights)
    bread = np.linalg.inv(_curvature(features, fitted))
    scores = features * (wins - fitted)[:, None]
    found: Floats = bread @ (scores.T @ scores) @ bread
    return found


def _logistic(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -x))
