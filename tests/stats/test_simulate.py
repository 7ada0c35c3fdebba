"""The simulation decides as the gate does, and its populations are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.intervals import Scale, difference_interval, own_interval
from harness.stats.simulate import (
    observed,
    sequential_ship_rate,
    ship_rate,
    tilted,
    with_rare_harm,
)

UNIT, BINARY = Scale(0.0, 1.0), Scale(0.0, 1.0, True)


def drawn(rng, n, binary, paired):
    if not paired:
        return (rng.random(n) < 0.8).astype(float) if binary else rng.beta(5, 2, n)
    if binary:
        return rng.choice([-1.0, 0.0, 1.0], n, p=[0.05, 0.8, 0.15])
    return (rng.normal(0.02, 0.1, n) * (rng.random(n) < rng.choice([0.1, 1.0]))).clip(-1, 1)


@pytest.mark.parametrize("seed", range(60))
def test_a_sample_is_decided_as_the_gate_decides_it(seed):
    """A population drawn exactly as often as it stands there is the sample itself."""
    from harness.stats.simulate import _Decision

    rng = np.random.default_rng(seed)
    n = int(rng.choice([40, 120, 250, 600]))
    binary, paired = bool(rng.random() < 0.4), bool(rng.random() < 0.7)
    scale = BINARY if binary else UNIT
    values = drawn(rng, n, binary, paired)
    clusters = np.arange(n) // 3 if rng.random() < 0.3 else None
    population = observed(values, scale, paired=paired, clusters=clusters)
    units = n if clusters is None else int(clusters.max()) + 1
    counts = np.round(population.weights * units)[None]
    for threshold in (-0.05, -0.02, 0.0, 0.02, 0.05) if paired else (0.6, 0.7, 0.75, 0.78):
        if paired:
            sides = np.maximum(values, 0), np.maximum(-values, 0)
            found = difference_interval(*sides, scale, 0.05, clusters).low > threshold
        else:
            found = own_interval(values, scale, 0.05, clusters).low >= threshold
        assert bool(_Decision(population, units, threshold, 0.05)(counts)[0]) is bool(found)


@pytest.mark.parametrize("clusters", [None, np.arange(300) // 4])
def test_populations_have_the_mean_they_are_made_for(clusters):
    values = np.random.default_rng(0).normal(0.03, 0.1, 300).clip(-1, 1)
    population = observed(values, UNIT, clusters=clusters)
    assert population.mean() == pytest.approx(values.mean())
    for made in (tilted(population, -0.02), with_rare_harm(population, -0.02)):
        assert made is not None
        assert made.mean() == pytest.approx(-0.02, abs=1e-6)
        assert made.weights.min() >= 0
        assert made.weights.sum() == pytest.approx(1)
        assert made.values.min() >= -1
    assert tilted(population, 2.0) is None
    assert with_rare_harm(population, 0.5) is None


def test_power_grows_with_n_and_with_the_effect():
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 500, p=[0.05, 0.8, 0.15])
    population = observed(values, BINARY)
    rates = [ship_rate(population, n, 0.0, 0.05, repetitions=500) for n in (50, 150, 450)]
    assert rates == sorted(rates)
    assert rates[-1] > 0.9
    larger = tilted(population, 0.2)
    assert larger is not None
    assert ship_rate(larger, 50, 0.0, 0.05, repetitions=500) > rates[0]


def test_the_boundary_ships_at_most_at_alpha():
    values = np.random.default_rng(0).normal(0.0, 0.1, 400).clip(-1, 1)
    for n in (100, 300):
        for made in (
            tilted(observed(values, UNIT), -0.05),
            with_rare_harm(observed(values, UNIT), -0.05),
        ):
            assert made is not None
            assert ship_rate(made, n, -0.05, 0.05, repetitions=1500) <= 0.05 + 0.017


def test_looking_often_ships_more_than_once_and_seldom_wrongly():
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 500, p=[0.05, 0.8, 0.15])
    population = observed(values, UNIT)
    often = sequential_ship_rate(population, [50] * 12, 0.0, 0.05, repetitions=400)
    once = sequential_ship_rate(population, [600], 0.0, 0.05, repetitions=400)
    assert often >= once > 0.5
    null = tilted(population, 0.0)
    assert null is not None
    assert sequential_ship_rate(null, [50] * 12, 0.0, 0.05, repetitions=1000) <= 0.05
