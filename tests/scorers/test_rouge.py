"""ROUGE against rouge-score itself, and what it does with much text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from encoded import abstracts_and_titles, sentences_and_titles
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers import Rouge
from harness.scorers._subsequence import subsequence, subsequence_length
from harness.types import Sample, Score

NAMES = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l", "rougeLsum": "rouge_lsum"}
PAIRS = [
    ("Copper sulfide as hole transport layer", "Low-cost copper sulfide hole transport layers"),
    ("A short title.\nAnd a second line.", "The second line and a short title.\nRunning lines."),
    ("\nOne line and\n", "one line\n\n"),
    ("word", "word"),
    ("", "nothing here"),
    ("\n", "nothing here"),
    ("Perowskit-Solarzellen für 2020", "Perowskit Solarzellen, 2020"),
    ("yes yes yes", "yes"),
]


def one(scorer: Rouge, metric: str, prediction: str, *targets: str) -> Score:
    return scorer.score([prediction], [Sample("1", "", targets)])[0][metric]


def lined(text: str) -> str:
    """A line for each sentence, as summaries are given to rougeLsum."""
    return text.replace(". ", ".\n")


@pytest.mark.parametrize("stemmer", [False, True])
def test_values_are_those_of_rouge_score(stemmer: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    abstracts = [text for text, _ in abstracts_and_titles()]
    pairs = PAIRS + sentences_and_titles()
    pairs += pairwise(abstracts[:20])
    pairs += [(lined(p), lined(t)) for p, t in pairwise(abstracts[:60])]
    theirs = RougeScorer(list(NAMES), use_stemmer=stemmer)
    ours = Rouge(stemmer=stemmer)
    samples = [Sample(str(i), "", (target,)) for i, (_, target) in enumerate(pairs)]
    rows = ours.score([prediction for prediction, _ in pairs], samples)
    assert len(rows) > 250
    for (prediction, target), row in zip(pairs, rows, strict=True):
        wanted = theirs.score(target, prediction)
        for name, metric in NAMES.items():
            assert row[metric + "_stem" * stemmer].value == wanted[name].fmeasure, metric


def test_several_targets_are_those_of_score_multi() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(list(NAMES))
    targets = [target for _, target in PAIRS]
    for prediction, _ in PAIRS:
        wanted = theirs.score_multi(targets, prediction)
        for name, metric in NAMES.items():
            assert one(Rouge(), metric, prediction, *targets).value == wanted[name].fmeasure


@given(st.text("abc", max_size=80), st.text("abcd", max_size=150))
def test_the_subsequence_is_that_of_the_table(left: str, right: str) -> None:
    from rouge_score.rouge_scorer import lcs_ind

    wanted = lcs_ind(left, right)
    assert subsequence(left, right) == wanted
    assert subsequence_length(left, right) == len(wanted)


@given(*[st.lists(st.text("ab cd", max_size=12), max_size=5).map("\n".join)] * 2)
def test_lines_are_those_of_rouge_score(prediction: str, target: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    wanted = RougeScorer(["rougeLsum"]).score(target, prediction)["rougeLsum"].fmeasure
    found = one(Rouge(), "rouge_lsum", prediction, target)
    assert found.value == wanted


def test_it_does_not_score_what_it_cannot_read() -> None:
    unread = one(Rouge(), "rouge1", "東京", "東京")
    assert unread.value is None
    assert "a-z" in str(unread.reason)
    # It might have been the best.
    assert one(Rouge(), "rouge1", "日本", "日本", "japan").value is None
    assert one(Rouge(), "rouge1", "", " ", "").value == 0.0


def test_long_texts_are_scored_while_it_takes_seconds() -> None:
    long = "a b c " * 8000
    for metric in NAMES.values():
        assert one(Rouge(), metric, long, long + "d").value == pytest.approx(1.0, abs=1e-4)
    lines = "a b c d\n" * 10_000
    assert one(Rouge(), "rouge_l", lines, lines).value == 1.0
    many = one(Rouge(), "rouge_lsum", lines, lines)
    assert many.value is None
    assert "too long" in str(many.reason)
