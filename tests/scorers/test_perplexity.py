"""Perplexity and bits per byte from likelihoods that are known."""

from __future__ import annotations

import math

import pytest

from harness.scorers import Perplexity, only, score_all
from harness.types import Likelihood, Sample, Score

SAMPLE = Sample("1", "question", ("yes",))


def likelihood(total: float, tokens: int, n_bytes: int, end: float | None = -1.0) -> Likelihood:
    return Likelihood("k", total, end, tokens, n_bytes)


def scores(scorer: Perplexity, *row: Likelihood) -> dict[str, Score]:
    return score_all([scorer], ["anything"], [SAMPLE], [row])[0]


def test_a_target_of_one_in_four_a_token_has_perplexity_four() -> None:
    found = scores(Perplexity(), likelihood(3 * math.log(1 / 4), 3, 12))
    assert found["perplexity"].value == pytest.approx(4.0)
    assert found["bits_per_byte"].value == pytest.approx(6 / 12)


def test_the_end_token_counts_where_told() -> None:
    given = likelihood(3 * math.log(1 / 4), 3, 12, end=math.log(1 / 4**5))
    found = scores(Perplexity(end_of_turn=True), given)
    assert found["perplexity"].value == pytest.approx(4 ** ((3 + 5) / 4))
    assert found["bits_per_byte"].value == pytest.approx(16 / 12)
    assert Perplexity(end_of_turn=True).metrics != Perplexity().metrics
    unknown = scores(Perplexity(end_of_turn=True), likelihood(-1.0, 1, 1, end=None))
    assert "no end token" in str(unknown["perplexity"].reason)


def test_the_likeliest_of_several_targets_counts() -> None:
    found = scores(Perplexity(), likelihood(-9.0, 3, 4), likelihood(-3.0, 3, 4))
    assert found["perplexity"].value == pytest.approx(math.e)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((likelihood(0.0, 0, 0),), "empty"),
        ((Likelihood("k", None, None, 0, 0, "prompt and target too long"),), "too long"),
        ((likelihood(-1.0, 1, 1), Likelihood("k", None, None, 0, 0, "torn")), "torn"),
        ((likelihood(-1e6, 1, 1),), "beyond any number"),
        ((likelihood(math.nan, 1, 1),), "no finite number"),
        ((likelihood(math.inf, 1, 1),), "no finite number"),
        ((), "target"),
        (None, "no likelihood"),
    ],
)
def test_what_is_not_known_is_unscored(row: tuple[Likelihood, ...] | None, why: str) -> None:
    found = score_all([only(Perplexity(), "perplexity")], ["x"], [SAMPLE], [row])[0]
    assert found["perplexity"].value is None
    assert why in str(found["perplexity"].reason)


def test_without_a_model_it_says_where_it_is_measured() -> None:
    found = score_all([Perplexity()], ["yes"], [SAMPLE])[0]
    assert "harness run" in str(found["perplexity"].reason)
