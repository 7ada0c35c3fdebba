"""Tango's interval against published values, and what holds of it for any counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.constant import constant_interval
from harness.stats.tango import tango_interval


@pytest.mark.parametrize(
    ("wins", "losses", "n", "alpha", "low", "high"),
    [
        # Tango (1998): 44 pairs of eyes, one discordant; the 90% interval.
        (0, 1, 44, 0.05, -0.096, 0.037),
        # Fagerland, Lydersen & Laake (2017), chapter 8: Bentur et al. (2009), Cavo et al. (2012).
        (1, 7, 21, 0.025, -0.517, -0.026),
        (6, 16, 161, 0.025, -0.124, -0.005),
        # R: PropCIs::scoreci.mp(25, 28, 618, 0.90).
        (28, 25, 618, 0.05, -0.0148, 0.0247),
    ],
)
def test_published_intervals(wins, losses, n, alpha, low, high):
    interval = tango_interval(wins, losses, n, alpha, continuity=0)
    digits = 4 if n == 618 else 3
    assert round(interval.low, digits) == low
    assert round(interval.high, digits) == high


@st.composite
def counts(draw):
    n = draw(st.integers(1, 400))
    wins = draw(st.integers(0, n))
    return wins, draw(st.integers(0, n - wins)), n


@given(counts(), st.sampled_from([0.01, 0.05, 0.2]))
def test_swapping_sides_mirrors_the_interval(found, alpha):
    wins, losses, n = found
    one, other = tango_interval(wins, losses, n, alpha), tango_interval(losses, wins, n, alpha)
    assert (one.low, one.high) == (-other.high, -other.low)
    assert -1 <= one.low <= one.estimate <= one.high <= 1


@given(counts(), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_pair_that_gets_worse_never_raises_the_bound(found, alpha):
    """So that unscored pairs at their worst value bound every completion."""
    wins, losses, n = found

    def low(w: int, x: int) -> float:
        no_pair_differs = constant_interval(0.0, n, alpha, -1.0, 1.0).low
        return tango_interval(w, x, n, alpha).low if w or x else no_pair_differs

    if wins:
        assert low(wins - 1, losses) <= low(wins, losses) + 1e-9
    if wins + losses < n:
        assert low(wins, losses + 1) <= low(wins, losses) + 1e-9
