"""Power by simulation, held against exact and textbook values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, nct, t

from harness.stats.assumed import from_discordance, from_rate, from_sd
from harness.stats.intervals import difference_interval
from harness.stats.power import (
    Design,
    coarse,
    power,
    quantile_samples,
    reweighted,
    samples_needed,
    smallest_effect,
    smallest_share,
    variance,
)
from harness.stats.quantile import quantile_ship_rate
from harness.stats.scale import Scale
from harness.stats.simulate import observed

BINARY, SHARE, FREE = Scale(0, 1, True), Scale(0, 1), Scale()
NON_INFERIOR = Design(-0.03, 0.05, least=30)


@pytest.mark.parametrize(("target", "expected"), [(0.8, 1000), (0.9, 1400)])
def test_non_inferiority_needs_many(target: float, expected: int) -> None:
    equal = from_discordance(0.15, 0.0, BINARY)
    assert samples_needed(equal, NON_INFERIOR, target) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(
    ("population", "batch"),
    [
        (from_discordance(0.2, 0.05, BINARY), None),
        (from_discordance(0.2, 0.05, SHARE), 50),
        (from_sd(0.05, 0.25, SHARE), None),
        (from_sd(0.05, 0.25, SHARE), 50),
        (from_sd(0.05, 0.25, FREE), None),
    ],
    ids=["binary", "binary, looking", "bounded", "bounded, looking", "unbounded"],
)
def test_power_grows_with_samples(population, batch) -> None:
    design = Design(0.0, 0.05, least=30, batch=batch)
    found = [power(population, design, n) for n in (20, 60, 180, 540, 1620)]
    assert found == sorted(found)
    assert found[0] == 0.0, "fewer samples than the rule asks for never ship"
    assert found[-1] > 0.9


@pytest.mark.parametrize("n", [50, 150, 400, 2000])
@pytest.mark.parametrize(
    "population",
    [
        from_discordance(0.15, -0.03, BINARY),
        from_discordance(0.05, -0.03, BINARY),
        from_sd(-0.03, 0.2, SHARE),
        from_sd(-0.03, 0.2, FREE),
    ],
    ids=["binary", "few differ", "bounded", "unbounded"],
)
def test_at_the_boundary_power_is_at_most_alpha(population, n: int) -> None:
    error = math.sqrt(0.05 * 0.95 / 2000)
    assert power(population, NON_INFERIOR, n) <= 0.05 + 3 * error


def test_a_guardrails_power_is_clopper_and_pearsons() -> None:
    n, rate, limit = 120, 0.96, 0.9
    least = next(k for k in range(n + 1) if binom.sf(k - 1, n, limit) <= 0.05)
    found = power(from_rate(rate, BINARY), Design(limit, 0.05, least=30), n)
    assert found == pytest.approx(binom.sf(least - 1, n, rate), abs=0.03)


def test_an_unbounded_metric_has_the_power_of_students_t() -> None:
    n, mean, sd = 60, 0.3, 1.0
    expected = nct.sf(t.ppf(0.95, n - 1), n - 1, mean / sd * math.sqrt(n))
    found = power(from_sd(mean, sd, FREE), Design(0.0, 0.05, least=30), n)
    # The bound is widened for skewness, and never narrowed.
    assert expected - 0.06 < found < expected + 0.03


@pytest.mark.parametrize("n", [60, 100, 150])
def test_betting_has_less_power_than_students_t_promises(n: int) -> None:
    mean, sd = 0.05, 0.2
    promised = nct.sf(t.ppf(0.95, n - 1), n - 1, mean / sd * math.sqrt(n))
    found = power(from_sd(mean, sd, SHARE), Design(0.0, 0.05, least=30), n)
    assert found < promised - 0.1


@pytest.mark.parametrize("threshold", [-0.03, 0.0, 0.02])
def test_the_smallest_effect_is_seen_four_times_in_five(threshold: float) -> None:
    def family(mean: float):
        return from_discordance(0.2, mean, BINARY)

    design = Design(threshold, 0.05, least=30)
    found = smallest_effect(family, family(0.0), design, 600, 0.8)
    assert found is not None
    assert found > threshold
    assert power(family(found), design, 600) == pytest.approx(0.8, abs=0.02)
    needed = samples_needed(family(found), design, 0.8)
    # Two searches, each as exact as 2,000 repetitions are.
    assert needed == pytest.approx(600, rel=0.1)


def test_an_effect_on_the_wrong_side_needs_no_number_of_samples() -> None:
    assert samples_needed(from_discordance(0.2, -0.03, BINARY), NON_INFERIOR, 0.8) is None
    assert samples_needed(from_sd(0.01, 0.2, SHARE), Design(0.02, 0.05), 0.8) is None


def test_too_small_a_size_sees_no_effect_at_all() -> None:
    def family(mean: float):
        return from_discordance(0.9, mean, BINARY)

    assert smallest_effect(family, family(0.0), Design(0.95, 0.05, least=30), 30, 0.8) is None
    assert smallest_effect(family, family(0.0), Design(0.0, 0.05, least=30), 20, 0.8) is None


def test_looking_often_costs_samples() -> None:
    population = from_discordance(0.2, 0.1, SHARE)
    once, often = Design(0.0, 0.05, least=30), Design(0.0, 0.05, least=30, batch=25)
    at_once, looking = (samples_needed(population, d, 0.8) for d in (once, often))
    assert at_once < looking < 6 * at_once


def test_clusters_cost_samples() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), 5)
    values = (rng.normal(0.05, 0.15, 60)[clusters] + rng.normal(0, 0.05, 300)).clip(-1, 1)
    alone, together = observed(values, SHARE), observed(values, SHARE, clusters=clusters)
    assert variance(together) > 3 * variance(alone)
    by_one = power(alone, Design(0.0, 0.05, least=30), 300)
    by_five = power(together, Design(0.0, 0.05, unit=5, least=30, least_units=10), 300)
    assert by_five < by_one
    assert power(together, Design(0.0, 0.05, unit=5, least=30, least_units=10), 45) == 0.0


@pytest.mark.parametrize(
    ("mean", "sd"), [(0.0, 0.2), (0.05, 0.02), (0.5, 0.5), (0.5, 0.85), (0.0, 0.9), (-0.9, 0.3)]
)
def test_a_population_has_the_moments_that_were_stated(mean: float, sd: float) -> None:
    population = from_sd(mean, sd, SHARE)
    assert population is not None
    assert population.mean() == pytest.approx(mean, abs=1e-6)
    assert math.sqrt(variance(population)) == pytest.approx(sd, rel=1e-3)
    assert np.abs(population.values).max() <= 1


def test_impossible_statements_make_no_population() -> None:
    assert from_sd(0.5, 0.9, SHARE) is None
    assert from_sd(1.0, 0.1, SHARE) is None
    assert from_sd(0.0, 0.0, SHARE) is None
    assert from_discordance(0.1, 0.2, BINARY) is None
    assert from_discordance(1.2, 0.2, BINARY) is None
    assert from_rate(1.1, BINARY) is None
    assert from_rate(0.5, FREE) is None


def test_a_pilot_without_a_loss_still_imagines_some() -> None:
    """Without any, a mean near 0 would be one of no difference at all, proved at once."""
    wins = np.array([1.0] * 20 + [0.0] * 60)
    population = observed(wins, BINARY)
    family = reweighted(population, -0.05, 80)
    means = (-0.02, 0.0, 0.02, 0.1)
    moved = [family(mean) for mean in means]
    assert [m.mean() for m in moved] == pytest.approx(means, abs=1e-6)
    spread = [variance(m) for m in moved]
    assert min(spread) > 0.3 * max(spread), "the spread changes smoothly with the mean"


def test_a_large_pilot_is_made_coarse_without_moving_it() -> None:
    values = np.random.default_rng(1).beta(2, 5, 20_000) - 0.25
    fine = observed(values, SHARE)
    rough = coarse(fine)
    assert len(rough.values) <= 512 < len(fine.values)
    assert rough.mean() == pytest.approx(fine.mean(), abs=1e-12)
    assert variance(rough) == pytest.approx(variance(fine), rel=1e-3)


def test_many_clusters_are_thinned_without_moving_the_mean() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(5000), rng.integers(1, 5, 5000))
    values = (rng.normal(0.05, 0.2, 5000)[clusters]).clip(-1, 1)
    fine = observed(values, SHARE, clusters=clusters)
    rough = coarse(fine)
    assert len(rough.weights) == 1000
    assert rough.mean() == pytest.approx(fine.mean(), abs=1e-6)
    assert variance(rough) == pytest.approx(variance(fine), rel=0.15)


@pytest.mark.parametrize(
    ("population", "scale", "n", "threshold"),
    [
        (from_discordance(0.15, 0.0, BINARY), BINARY, 700, -0.03),
        (from_sd(0.03, 0.15, SHARE), SHARE, 150, -0.02),
        (from_sd(0.03, 0.15, SHARE), SHARE, 300, 0.01),
    ],
    ids=["binary", "betting", "Student's t"],
)
def test_power_is_how_often_the_gates_own_interval_ships(population, scale, n, threshold) -> None:
    rng = np.random.default_rng(3)
    shipped = 0
    for _ in range(300):
        d = rng.choice(population.values, n, p=population.weights)
        found = difference_interval(np.maximum(d, 0), np.maximum(-d, 0), scale, 0.05)
        shipped += found.low > threshold
    expected = power(population, Design(threshold, 0.05), n)
    assert shipped / 300 == pytest.approx(expected, abs=3 * math.sqrt(0.25 / 300))


def test_the_samples_of_a_quantile_are_exact() -> None:
    needed = quantile_samples(0.95, 0.99, 0.05, 0.8, 30)
    assert quantile_ship_rate(needed, 0.95, 0.99, 0.05) >= 0.8
    assert quantile_ship_rate(needed // 2, 0.95, 0.99, 0.05) < 0.8
    assert smallest_share(30, 0.95, 0.05, 0.8) is None, "30 values bound no 95th percentile"
    share = smallest_share(59, 0.95, 0.05, 0.8)
    assert share == pytest.approx(0.8 ** (1 / 59), abs=1e-3), "all 59 must be within"
