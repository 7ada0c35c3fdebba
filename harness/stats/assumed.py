"""Populations for a plan without data: what somebody says about rates, as values to draw from.

Each is the population that adds least to what was said, and None where no population can be so.
"""

from __future__ import annotations

import numpy as np

from harness.stats.mean import Floats
from harness.stats.scale import Scale
from harness.stats.simulate import Population

_POINTS = 201
_REACH = 6.0
"""Standard deviations on each side of the mean that a population from a spread covers."""


def from_discordance(discordance: float, mean: float, scale: Scale) -> Population | None:
    """Paired differences of a binary metric of which a share ``discordance`` is not 0.

    None where so few differences cannot have this ``mean``, or the range is unknown.
    """
    span = scale.span
    if not span or not 0 <= discordance <= 1 or abs(mean / span) > discordance:
        return None
    wins = (discordance + mean / span) / 2
    weights = np.array([discordance - wins, 1 - discordance, wins])
    return Population(np.array([-span, 0.0, span]), weights, scale)


def from_rate(mean: float, scale: Scale) -> Population | None:
    """A variant's own values: each at one end of the range.

    For a binary metric that is all there is; for any other it is the widest spread that values with
    this ``mean`` can have (Bhatia & Davis 2000, American Mathematical Monthly 107:353-357). None
    where the range is unknown or does not hold ``mean``.
    """
    low, high = scale.low, scale.high
    if low is None or high is None or not low <= mean <= high:
        return None
    share = (mean - low) / (high - low)
    return Population(np.array([low, high]), np.array([1 - share, share]), scale, paired=False)


def from_sd(mean: float, sd: float, scale: Scale) -> Population | None:
    """Paired differences of this ``mean`` and standard deviation ``sd``, within the range.

    Of all distributions in the range the one of largest entropy, proportional to
    exp(a x + b x^2): the normal, cut off at the ends of the range and tilted until both moments
    are met (Jaynes 1957, Physical Review 106:620-630). None where the range allows no such pair.
    """
    span = scale.span
    low, high = (-np.inf, np.inf) if span is None else (-span, span)
    if not (sd > 0 and low < mean < high and sd * sd < (mean - low) * (high - mean)):
        return None
    values = np.linspace(max(low, mean - _REACH * sd), min(high, mean + _REACH * sd), _POINTS)
    weights = _fitted((values - mean) / sd)
    return None if weights is None else Population(values, weights, scale)


def _fitted(t: Floats) -> Floats | None:
    """Weights over ``t`` (k,) under which its mean is 0 and its mean square 1; None: none found.

    Newton's method on log sum exp(a t + b t^2) - b, which is convex in (a, b).
    """
    powers = np.stack([t, t * t])
    target = np.array([0.0, 1.0])
    at = np.array([0.0, -0.5])
    for _ in range(200):
        weights = _softmax(at @ powers)
        gradient = powers @ weights - target
        if np.abs(gradient).max() < 1e-9:
            return weights
        centred = powers - (powers @ weights)[:, None]
        curvature = (centred * weights) @ centred.T + 1e-14 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        at = _descended(at, step, powers, target, float(gradient @ step))
    return weights if np.abs(gradient).max() < 1e-4 else None


def _descended(at: Floats, step: Floats, powers: Floats, target: Floats, slope: float) -> Floats:
    length, here = 1.0, _height(at, powers, target)
    while length > 1e-6:
        tried: Floats = at - length * step
        if _height(tried, powers, target) <= here - 1e-4 * length * slope:
            return tried
        length /= 2
    return at


def _height(at: Floats, powers: Floats, target: Floats) -> float:
    exponents = at @ powers
    top = float(exponents.max())
    return top + float(np.log(np.exp(exponents - top).sum())) - float(at @ target)


def _softmax(exponents: Floats) -> Floats:
    found = np.exp(exponents - exponents.max())
    normed: Floats = found / found.sum()
    return normed
