"""``f1`` and ``exact_match`` beside torchmetrics' port of SQuAD's evaluation script."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Sequence

import pytest
from encoded import abstracts_and_titles
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scorers import F1, ExactMatch
from harness.types import Sample

SQUAD = ExactMatch(ignore_case=True, ignore_punctuation=True, ignore_articles=True)
RESTYLED: Sequence[Callable[[str], str]] = (
    str.upper,
    lambda title: f"  The {title}.\n",
    lambda title: title.replace("-", "").replace(" ", "\u2009 "),
    lambda title: f'"{title}" (an article)',
    lambda title: " ".join(title.split()[::-1]),
    lambda title: " ".join(title.split()[:6]),
)
ALPHABET = "ab AB then,.\n\u00a0\u00e9\u0130\u2014_" + string.punctuation


def ours(prediction: str, *targets: str) -> tuple[float | None, float | None]:
    samples = [Sample("1", "", targets)]
    f1 = F1().score([prediction], samples)[0]["f1"]
    return SQUAD.score([prediction], samples)[0]["exact_match"].value, f1.value


def theirs(prediction: str, *targets: str) -> tuple[float, float]:
    squad = pytest.importorskip("torchmetrics.functional.text.squad").squad
    answers = {"text": list(targets), "answer_start": [0] * len(targets)}
    found = squad([{"id": "1", "prediction_text": prediction}], [{"id": "1", "answers": answers}])
    return float(found["exact_match"]) / 100, float(found["f1"]) / 100


def differences(pairs: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    """The greatest, of exact match and of F1."""
    both = [(ours(*pair), theirs(*pair)) for pair in pairs]
    return max(abs(a[0] - b[0]) for a, b in both), max(abs(a[1] - b[1]) for a, b in both)


def test_values_are_those_of_squad_on_real_pairs() -> None:
    rows = abstracts_and_titles()
    titles = [title for _, title in rows]
    pairs = [(style(title), title) for title in titles for style in RESTYLED]
    pairs += [(abstract, title) for abstract, title in rows]
    pairs += itertools.pairwise(titles)
    matches = sum(ours(*pair)[0] == 1.0 for pair in pairs)
    # Both answers are common among the pairs, so that agreeing says something.
    assert len(pairs) > 2000
    assert 500 < matches < len(pairs) - 500
    exact, f1 = differences(pairs)
    assert exact == 0
    assert f1 < 1e-6  # theirs is in single precision


def test_the_best_of_several_targets_is_that_of_squad() -> None:
    titles = [title for _, title in abstracts_and_titles()]
    groups = [(f"the {titles[i]}", *titles[i + 1 : i + 3], titles[i]) for i in range(50)]
    groups += [(titles[i], *titles[i + 1 : i + 4]) for i in range(50)]
    exact, f1 = differences(groups)
    assert exact == 0
    assert f1 < 1e-6


@settings(deadline=None)
@given(st.text(ALPHABET, max_size=20), st.text(ALPHABET, max_size=20))
def test_values_are_those_of_squad_on_any_text(prediction: str, target: str) -> None:
    exact, f1 = differences([(prediction, target)])
    assert exact == 0
    assert f1 < 1e-6
