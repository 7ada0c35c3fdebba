"""The same prediction for the same targets is looked at once, however many variants gave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.scorers._patience import score_each
from harness.scorers._sacrebleu import sentence_scores
from harness.scorers._targets import best_of_targets, best_on_all_cores
from harness.types import Sample, Score

PREDICTIONS = ["a", "b", "a", "a", "a"]
TARGETS = [("x", "y"), ("x",), ("x", "y"), ("y",), ("z", "x")]
SAMPLES = [Sample(str(i), "", targets) for i, targets in enumerate(TARGETS)]
PAIRS = [("a", "x"), ("a", "y"), ("a", "z"), ("b", "x")]


def value(pair: tuple[str, Any]) -> float:
    return float(PAIRS.index(pair))


@pytest.mark.parametrize("way", ["one", "cores"])
def test_each_pair_is_computed_once(way: str) -> None:
    asked: list[tuple[str, str]] = []

    def one(prediction: str, target: str) -> dict[str, Score]:
        asked.append((prediction, target))
        return {"m": Score(value((prediction, target)))}

    def many(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Score]]:
        return [one(*pair) for pair in pairs]

    if way == "one":
        rows = best_of_targets(["m"], PREDICTIONS, SAMPLES, one)
    else:
        rows = best_on_all_cores(["m"], PREDICTIONS, SAMPLES, many, lambda pair: 1.0)
    assert sorted(asked) == PAIRS
    assert [row["m"].value for row in rows] == [1.0, 3.0, 1.0, 1.0, 2.0]


def test_each_prediction_with_all_its_targets_is_computed_once() -> None:
    asked: list[Any] = []

    def work(keys: Sequence[Any]) -> list[float]:
        asked.extend(keys)
        return [float(len(targets)) for _, targets in keys]

    rows = sentence_scores("m", PREDICTIONS, SAMPLES, work)
    assert sorted(asked) == sorted(set(zip(PREDICTIONS, TARGETS, strict=True)))
    assert [row["m"].value for row in rows] == [2.0, 1.0, 2.0, 1.0, 2.0]


def test_each_output_is_held_against_a_form_once() -> None:
    asked: list[str] = []

    def one(text: str) -> Score:
        asked.append(text)
        return Score(float(text == "a"))

    scores = score_each(PREDICTIONS, one, "the check")
    assert asked == ["a", "b"]
    assert [score.value for score in scores] == [1.0, 0.0, 1.0, 1.0, 1.0]
