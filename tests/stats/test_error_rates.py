"""How often a bound claims what is not so, at the boundary of the claim. Seeded, so never flaky.

The whole grid, and what is not promised, is in ``benchmarks/false_ship.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import lgamma

import numpy as np
import pytest

from harness.stats.intervals import Scale, difference_interval, own_interval
from harness.stats.mean import Floats
from harness.stats.tango import tango_interval

UNIT, BINARY, UNBOUNDED = Scale(0.0, 1.0), Scale(0.0, 1.0, True), Scale()
ALPHA = 0.05
Draw = Callable[[np.random.Generator], tuple[Floats, Floats]]


def rare_harm(rng):
    return 1 - (rng.random(50) < 0.02).astype(float), np.ones(50)


def normal(rng):
    return rng.normal(0, 1, 50), np.zeros(50)


def clustered(rng):
    return np.repeat(rng.normal(0, 1, 20), 5) + rng.normal(0, 1, 100), np.zeros(100)


@pytest.mark.parametrize(
    ("draw", "scale", "truth", "clusters"),
    [
        (rare_harm, BINARY, -0.02, None),
        (rare_harm, UNIT, -0.02, None),
        (normal, UNBOUNDED, 0.0, None),
        (clustered, UNBOUNDED, 0.0, np.arange(100) // 5),
    ],
)
def test_a_difference_is_claimed_no_more_often_than_alpha(draw, scale, truth, clusters):
    rng = np.random.default_rng(0)
    claimed = [
        difference_interval(*draw(rng), scale, ALPHA, clusters).low > truth for _ in range(1500)
    ]
    assert np.mean(claimed) <= ALPHA + 0.0169  # Three standard errors of 1,500 draws.


@pytest.mark.parametrize(
    ("n", "wins", "losses"),
    [(50, 0.15, 0.1), (80, 0.15, 0.1), (100, 0.02, 0.04), (50, 0.001, 0.021)],
)
def test_tango_errs_at_most_a_little_above_alpha(n, wins, losses):
    """By summing over all outcomes, not by drawing: the approximation may add 0.006."""
    error = 0.0
    for w in range(n + 1):
        for x in range(n - w + 1):
            likelihood = _multinomial(n, (w, x), (wins, losses))
            if likelihood > 1e-8 and (w or x):
                error += likelihood * (tango_interval(w, x, n, ALPHA).low > wins - losses + 1e-9)
    assert error <= ALPHA + 0.006


def _multinomial(n: int, counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    counts, shares = (*counts, n - sum(counts)), (*shares, 1 - sum(shares))
    log = lgamma(n + 1)
    for count, share in zip(counts, shares, strict=True):
        log += count * math.log(share) - lgamma(count + 1)
    return math.exp(log)


def test_clusters_taken_as_independent_would_err():
    """The test above can fail: without the clusters the same draws are claimed far too often."""
    rng = np.random.default_rng(0)
    claimed = [difference_interval(*clustered(rng), UNBOUNDED, ALPHA).low > 0 for _ in range(500)]
    assert np.mean(claimed) > 0.15


def test_a_share_is_claimed_no_more_often_than_alpha():
    rng = np.random.default_rng(0)
    draws = (rng.random((1500, 60)) < 0.9).astype(float)
    claimed = [own_interval(row, BINARY, ALPHA).low > 0.9 for row in draws]
    assert np.mean(claimed) <= ALPHA
