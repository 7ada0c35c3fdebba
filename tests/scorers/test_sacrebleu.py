"""BLEU and chrF against sacrebleu itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from encoded import abstracts_and_titles, sentences_and_titles
from sacrebleu.metrics import BLEU, CHRF

from harness import scorers
from harness.errors import SuiteError
from harness.scorers import Bleu, Chrf
from harness.types import Sample, Scorer

KINDS = [
    ("bleu", Bleu(), BLEU(effective_order=True)),
    (
        "bleu",
        Bleu(lowercase=True, tokenize="intl", smooth_method="floor"),
        BLEU(lowercase=True, tokenize="intl", smooth_method="floor", effective_order=True),
    ),
    ("bleu", Bleu(tokenize="char"), BLEU(tokenize="char", effective_order=True)),
    ("chrf", Chrf(), CHRF()),
    ("chrf++", Chrf(word_order=2), CHRF(word_order=2)),
    ("chrf", Chrf(lowercase=True, beta=1), CHRF(lowercase=True, beta=1)),
]


def values(scorer: Scorer, name: str, predictions: Sequence[str], targets: Any) -> list[Any]:
    samples = [Sample(str(i), "", tuple(several)) for i, several in enumerate(targets)]
    return [row[name].value for row in scorer.score(predictions, samples)]


@pytest.mark.parametrize(("name", "ours", "theirs"), KINDS)
def test_values_and_signatures_are_those_of_sacrebleu(name: str, ours: Scorer, theirs: Any) -> None:
    pairs = [*sentences_and_titles(), *abstracts_and_titles()[:30]]
    pairs += [("", "a title"), ("a title", ""), ("Tōkyō 東京", "東京"), ("one", "one")]
    titles = [title for _, title in pairs]
    predictions = [text for text, _ in pairs] + titles[:100]
    targets = [[title] for title in titles] + [titles[i : i + 3] for i in range(1, 101)]
    wanted = [
        theirs.sentence_score(p, several).score
        for p, several in zip(predictions, targets, strict=True)
    ]
    found = values(ours, name, predictions, targets)
    assert len(found) > 350
    assert found == pytest.approx(wanted, abs=1e-12)
    assert max(found) <= 100
    fixed = str(theirs.get_signature()).partition("|")[2]
    assert fixed in ours.metrics[0].definition


def test_several_targets_are_the_references_of_one_bleu() -> None:
    both = ["the cat sat on the mat", "a dog lay in the sun"]
    mixed = "the cat sat in the sun"
    together = values(Bleu(), "bleu", [mixed], [both])[0]
    assert together > max(values(Bleu(), "bleu", [mixed] * 2, [[t] for t in both]))
    # chrF takes the better one.
    each = values(Chrf(), "chrf", [mixed] * 2, [[t] for t in both])
    assert values(Chrf(), "chrf", [mixed], [both]) == [max(each)]


def test_a_name_for_each_order_of_words() -> None:
    assert scorers.resolve("chrf++").metrics[0].name == "chrf++"
    assert Chrf(word_order=1).metrics[0].name == "chrf+"
    assert scorers.resolve("chrf").metrics[0].name == "chrf"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bleu(tokenize="13"), "tokenize"),
        (lambda: Bleu(tokenize="flores200"), "Known: 13a, char, intl, none, zh"),
        (lambda: Bleu(smooth_method="add_k"), "Did you mean 'add-k'"),
        (lambda: Chrf(char_order=0), "char_order"),
        (lambda: Chrf(word_order=3), "from 0 to 2"),
        (lambda: Chrf(beta=True), "beta"),
    ],
)
def test_impossible_options_are_refused(make: Any, said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        make()
