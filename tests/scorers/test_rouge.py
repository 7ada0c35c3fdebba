"""ROUGE against rouge-score itself, and what it does with much text."""

from __future__ import annotations

import pytest
from encoded import abstracts_and_titles, sentences_and_titles
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers import Rouge
from harness.scorers._subsequence import subsequence_length
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
    pairs += list(zip(abstracts[:20], abstracts[1:21], strict=True))
    pairs += [(lined(p), lined(t)) for p, t in zip(abstracts[:10], abstracts[1:11], strict=True)]
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
def test_the_length_is_that_of_the_table(left: str, right: str) -> None:
    from rouge_score.rouge_scorer import _lcs_table

    assert subsequence_length(left, right) == _lcs_table(left, right)[-1][-1]


def test_it_does_not_score_what_it_cannot_read() -> None:
    unread = one(Rouge(), "rouge1", "東京", "東京")
    assert unread.value is None
    assert "a-z" in str(unread.reason)


def test_long_texts_are_scored_but_for_the_table_of_many_lines() -> None:
    long = "a b c " * 8000
    for metric in NAMES.values():
        assert one(Rouge(), metric, long, long + "d").value == pytest.approx(1.0, abs=1e-4)
    lines = long.replace("c", "c\n")
    assert one(Rouge(), "rouge_l", lines, long).value == 1.0
    many = one(Rouge(), "rouge_lsum", lines, long)
    assert many.value is None
    assert "too long" in str(many.reason)
