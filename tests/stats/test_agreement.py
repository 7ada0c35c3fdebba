"""Agreement of two raters: published values, an independent implementation, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from harness.stats.agreement import Draws, alpha, interval, kappa, tables


def table(first: list[int], second: list[int], k: int) -> np.ndarray:
    zeros = np.zeros(len(first), np.int64)
    return tables(np.array(first), np.array(second), k, zeros, 1)[0]


def test_alpha_of_krippendorffs_binary_example() -> None:
    """Krippendorff 2011, section A: Meg and Owen, ten values, alpha = 0.095."""
    meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha(table(meg, owen, 2)) == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_krippendorffs_nominal_example() -> None:
    """Krippendorff 2011, section B: Ben and Gerry, twelve values, alpha = 0.692."""
    ben = ["abcde".index(x) for x in "aabbdcccedda"]
    gerry = ["abcde".index(x) for x in "babbbcccedd" + "d"]
    assert alpha(table(ben, gerry, 5)) == pytest.approx(0.692, abs=5e-4)


def test_ordinal_alpha_of_two_categories_is_nominal_alpha() -> None:
    counts = np.array([[12.0, 3.0], [5.0, 9.0]])
    assert alpha(counts, "ordinal") == pytest.approx(alpha(counts), abs=1e-12)


def test_ordinal_alpha_minds_the_distance() -> None:
    near = np.array([[9.0, 3, 0], [0, 9, 0], [0, 0, 9]])
    far = np.array([[9.0, 0, 3], [0, 9, 0], [0, 0, 9]])
    assert alpha(near, "ordinal") > alpha(far, "ordinal")


@pytest.mark.parametrize(
    ("weights", "wt"), [("none", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_kappa_is_that_of_statsmodels(weights: str, wt: str | None) -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, (20, 4, 4)).astype(float)
    found = kappa(counts, weights)  # type: ignore[arg-type]
    wanted = [cohens_kappa(one, wt=wt, return_results=False) for one in counts]
    assert found == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("measure", [kappa, alpha])
def test_raters_that_never_differ_nor_vary_have_no_agreement(measure: object) -> None:
    assert np.isnan(measure(np.array([[20.0, 0.0], [0.0, 0.0]])))  # type: ignore[operator]


def test_thirty_agreements_in_a_row_do_not_prove_full_agreement() -> None:
    both = np.array([0, 1] * 15)
    by_subject = tables(both, both, 2, np.arange(30), 30)
    low, high = interval(kappa(Draws.of(30).tables(by_subject)), 0.9) or (0, 0)
    assert 0.7 < low < 0.95
    assert high <= 1


def test_answers_to_one_question_are_not_taken_for_many() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 2, (2, 40))
    repeated, again = np.repeat(first, 10), np.repeat(second, 10)
    owner = np.repeat(np.arange(40), 10)
    one = kappa(Draws.of(40).tables(tables(first, second, 2, np.arange(40), 40)))
    ten = kappa(Draws.of(40).tables(tables(repeated, again, 2, owner, 40)))
    widths = [np.subtract(*(interval(x, 0.9) or (0, 0))) for x in (one, ten)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_the_lower_bound_of_kappa_is_below_the_truth_as_often_as_it_says() -> None:
    """600 lots of 60 pairs from a known table: a bound at 0.05 may be wrong in 0.05 of them, here
    within three standard errors (0.027)."""
    truth = np.array([[0.45, 0.1], [0.05, 0.4]])
    true_kappa = float(kappa(truth * 1000))
    rng = np.random.default_rng(3)
    wrong = 0
    for lot in range(600):
        cells = rng.choice(4, 60, p=truth.ravel())
        by_subject = tables(cells // 2, cells % 2, 2, np.arange(60), 60)
        drawn = kappa(Draws.of(60, draws=400, seed=lot).tables(by_subject))
        low, _ = interval(drawn, 0.9) or (1.0, 1.0)
        wrong += low > true_kappa
    assert wrong / 600 <= 0.05 + 0.027
