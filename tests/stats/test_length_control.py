"""Win rates at equal length, on preferences made by a known rule."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.length_control import length_controlled


def made(theta: float, phi: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    mine, theirs = rng.normal(500, 100, n), rng.normal(350, 100, n)
    apart = mine - theirs
    chance = 1 / (1 + np.exp(-(theta + phi * np.tanh(apart / apart.std(ddof=1)))))
    return (rng.random(n) < chance).astype(float), mine, theirs


def test_what_length_alone_wins_is_taken_away() -> None:
    wins, mine, theirs = made(theta=0.0, phi=2.0)
    found = length_controlled(wins, mine, theirs)
    assert found.raw > 0.7
    assert found.win_rate == pytest.approx(0.5, abs=3 * found.se)
    assert found.length_weight == pytest.approx(2.0, abs=0.3)


def test_what_is_better_at_any_length_stays() -> None:
    wins, mine, theirs = made(theta=1.0, phi=0.0)
    found = length_controlled(wins, mine, theirs)
    assert found.win_rate == pytest.approx(1 / (1 + np.exp(-1)), abs=3 * found.se)
    assert found.raw == pytest.approx(found.win_rate, abs=0.03)


def test_the_fit_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    wins, mine, theirs = made(theta=0.3, phi=0.7)
    apart = mine - theirs
    features = np.stack([np.ones(len(wins)), np.tanh(apart / apart.std(ddof=1))], 1)
    wanted = sm.Logit(wins, features).fit(disp=0).params
    found = length_controlled(wins, mine, theirs)
    # A ridge of one observation among 4,000 moves it a little.
    assert np.log(found.win_rate / (1 - found.win_rate)) == pytest.approx(wanted[0], abs=2e-3)
    assert found.length_weight == pytest.approx(wanted[1], abs=2e-3)


def test_a_side_that_wins_everything_has_a_finite_rate() -> None:
    found = length_controlled(np.ones(50), np.arange(50.0), np.zeros(50))
    assert 0.9 < found.win_rate < 1
    assert np.isfinite(found.length_weight)


def test_equal_lengths_leave_the_rate_near_the_raw_one() -> None:
    wins = np.array([1.0, 0.0, 0.5, 1.0] * 25)
    found = length_controlled(wins, np.full(100, 9.0), np.full(100, 9.0))
    assert found.win_rate == pytest.approx(wins.mean(), abs=0.01)
    assert found.length_weight == 0
