"""Intervals of means, proportions and quantiles against published values and identities."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.binomial import binomial_interval
from harness.stats.clustered import cluster_moments
from harness.stats.constant import constant_interval
from harness.stats.intervals import NoInterval, Scale, difference_interval, own_interval
from harness.stats.mean import standard_error, t_critical, t_low
from harness.stats.missing import worst_difference_low, worst_own_bound
from harness.stats.more import further_samples
from harness.stats.quantile import quantile_interval, samples_for_quantile

ORACLES = Path(__file__).parents[3] / "shared" / "oracles" / "metrics.json"
UNIT = Scale(0.0, 1.0)
BINARY = Scale(0.0, 1.0, binary=True)


@pytest.fixture(scope="module")
def oracle():
    if not ORACLES.is_file():
        pytest.skip("the oracle metrics.json is not here")
    return json.loads(ORACLES.read_text())


def test_standard_error_of_a_share(oracle):
    known = oracle["stderr"]
    values = np.repeat([1.0, 0.0], [known["successes"], known["n"] - known["successes"]])
    assert values.mean() == pytest.approx(known["mean"], abs=1e-12)
    assert standard_error(values) == pytest.approx(known["stderr"], abs=1e-12)


def test_clustered_standard_error(oracle):
    known = oracle["clustered_stderr"]
    values = np.arange(20.0)
    assert standard_error(values, np.arange(20) % 4) == pytest.approx(known["stderr"], abs=5e-4)
    assert standard_error(values[:10]) == pytest.approx(known["plain_0_to_9"], abs=5e-4)


def test_t_critical(oracle):
    for df, value in oracle["t_critical_975"].items():
        assert t_critical(int(df), 0.025) == pytest.approx(value, abs=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=40))
def test_clusters_of_one_sample_change_nothing(values):
    array = np.array(values)
    assert standard_error(array, np.arange(len(array))) == pytest.approx(standard_error(array))


def test_cluster_bounds_have_one_degree_of_freedom_less_than_clusters():
    found = cluster_moments(np.arange(20.0), np.arange(20) % 5)
    half = 2.7764451 * standard_error(np.arange(20.0), np.arange(20) % 5)
    assert float(t_low(found, 0.025)) == pytest.approx(9.5 - half, abs=1e-6)


def test_a_cluster_code_may_be_any_number():
    values = np.arange(20.0)
    codes = np.arange(20) % 4
    assert standard_error(values, codes * 7 + 3) == standard_error(values, codes)


def test_clopper_pearson():
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, 95%.
    for successes, n, low, high in ((81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617)):
        interval = binomial_interval(successes, n, 0.025)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert (binomial_interval(0, 20, 0.025).low, binomial_interval(20, 20, 0.025).high) == (0, 1)


def test_rule_of_three():
    assert constant_interval(0.0, 100, 0.05, 0.0, 1.0).high == pytest.approx(0.0295, abs=5e-5)


def test_a_quantile_has_its_bounds_by_order_statistics():
    # Conover (1999), Practical Nonparametric Statistics: from 59 on the greatest of n values
    # bounds the 95th percentile with 95% confidence.
    assert samples_for_quantile(0.95, 0.05) == 59
    assert quantile_interval(np.arange(59.0), 0.95, 0.05).high == 58.0
    assert quantile_interval(np.arange(58.0), 0.95, 0.05).high == math.inf
    median = quantile_interval(np.arange(1.0, 101.0), 0.5, 0.05)
    assert (median.low, median.estimate, median.high) == (42.0, 50.0, 59.0)


def test_a_quantile_bound_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).exponential(size=(2000, 80))
    covered = [quantile_interval(row, 0.95, 0.05).high >= -math.log(0.05) for row in draws]
    assert np.mean(covered) >= 0.94


def test_binary_differences_use_tango_and_clusters_use_t():
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 2, 60).astype(float) for _ in range(2))
    assert difference_interval(a, b, BINARY, 0.05).method == "Tango score"
    clustered = difference_interval(a, b, BINARY, 0.05, np.arange(60) // 3)
    assert clustered.method.startswith("cluster-robust t (20 clusters)")


def test_scores_of_0_and_100_have_the_interval_of_0_and_1_times_100():
    rng = np.random.default_rng(2)
    a, b = (rng.integers(0, 2, 60).astype(float) for _ in range(2))
    one = difference_interval(a, b, BINARY, 0.05)
    hundred = difference_interval(100 * a, 100 * b, Scale(0.0, 100.0, True), 0.05)
    assert hundred.low == pytest.approx(100 * one.low)
    own = own_interval(100 * a, Scale(0.0, 100.0, True), 0.05)
    assert own.high == pytest.approx(100 * own_interval(a, BINARY, 0.05).high)


def test_rounding_errors_are_no_spread():
    reference = np.full(50, 0.1) * 3
    candidate = np.full(50, 0.3)
    interval = difference_interval(candidate, reference, UNIT, 0.05)
    assert interval.method == "all equal"
    assert interval.low == pytest.approx(-(1 - 0.05 ** (1 / 50)), abs=1e-6)


def test_clusters_that_cancel_inside_are_no_certainty():
    """Every cluster holds a gain and an equal loss: its mean never varies, the pairs do."""
    d = np.tile([0.5, 0.0], 20)
    interval = difference_interval(d, d[::-1].copy(), UNIT, 0.05, np.arange(40) // 2)
    assert interval.low == pytest.approx(-(1 - 0.05 ** (1 / 20)))


def test_no_spread_and_no_range_is_no_interval():
    with pytest.raises(NoInterval, match="bounds"):
        difference_interval(np.ones(50), np.zeros(50), Scale(), 0.05)
    with pytest.raises(NoInterval, match="bounds"):
        own_interval(np.ones(50), Scale(0.0, None), 0.05)


def test_bounds_stay_within_what_is_possible():
    values = np.array([0.0] * 29 + [1.0])
    interval = own_interval(values, UNIT, 0.05)
    assert 0.0 <= interval.low < interval.estimate < interval.high <= 1.0


unit = st.floats(0, 1).map(lambda x: round(x, 3))


@st.composite
def paired_with_gaps(draw):
    n = draw(st.one_of(st.integers(12, 40), st.integers(200, 230)))
    values = st.lists(
        draw(st.sampled_from([unit, st.sampled_from([0.0, 1.0])])), min_size=n, max_size=n
    )
    gaps = draw(st.lists(st.integers(0, n - 1), max_size=4))
    return np.array(draw(values)), np.array(draw(values)), gaps, draw(st.booleans())


@given(paired_with_gaps(), st.booleans())
def test_losing_scores_never_raises_the_worst_bound(drawn, by_cluster):
    candidate, reference, gaps, side = drawn
    values = {0.0, 1.0}
    scale = BINARY if set(candidate) | set(reference) <= values else UNIT
    clusters = np.arange(len(candidate)) // 2 if by_cluster else None
    whole = difference_interval(candidate, reference, scale, 0.05, clusters)
    lost = (candidate if side else reference).copy()
    lost[gaps] = np.nan
    pair = (lost, reference) if side else (candidate, lost)
    worst = worst_difference_low(*pair, scale, 0.05, clusters)
    assert worst <= whole.low + 1e-9


@given(paired_with_gaps(), st.booleans(), st.sampled_from([None, 0.5]))
def test_losing_values_never_tightens_a_guardrail(drawn, upper, quantile):
    values, _, gaps, _ = drawn
    scale = BINARY if set(values) <= {0.0, 1.0} else UNIT
    whole = own_interval(values, scale, 0.05, quantile=quantile)
    lost = values.copy()
    lost[gaps] = np.nan
    worst = worst_own_bound(lost, scale, 0.05, quantile=quantile, upper=upper)
    assert worst >= whole.high - 1e-9 if upper else worst <= whole.low + 1e-9


def test_further_samples_would_decide():
    rng = np.random.default_rng(3)
    d = rng.normal(0.05, 0.3, 100)
    interval = difference_interval(d, np.zeros(100), Scale(), 0.05)
    more = further_samples(interval, 0.0)
    # The same spread and estimate at n + more decides, and at a tenth less does not.
    for n, decides in ((100 + more, True), (int(0.9 * (100 + more)), False)):
        low = interval.estimate - (interval.estimate - interval.low) * math.sqrt(100 / n)
        assert (low > 0) is decides


def test_further_equal_samples_would_decide():
    interval = constant_interval(0.0, 50, 0.05, -1.0, 1.0)
    more = further_samples(interval, -0.02, (-1.0, 1.0))
    assert constant_interval(0.0, 50 + more, 0.05, -1.0, 1.0).low > -0.02
    assert constant_interval(0.0, 49 + more, 0.05, -1.0, 1.0).low <= -0.02
    assert further_samples(interval, 0.0, (-1.0, 1.0)) is None
