"""``entity_f1`` and ``repetition`` beside NLTK, on real sentences and abstracts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from encoded import abstracts_and_titles, fetched
from nltk.metrics.scores import f_measure
from nltk.util import ngrams

from harness.data.jsonl import read_jsonl
from harness.scorers import Entities, Repetition
from harness.scorers.repetition import LONGEST
from harness.types import Sample

CONTRACTS = (
    "pypi:evals==3.0.1.post1/evals/registry/data/ner_finance/samples.jsonl"
    "#sha256=7ffffeec797366ad631b7b57f404c73e437a15e38351895b3f71d1b030f69430"
)
KINDS = ("PERSON", "ORGANIZATION", "LOCATION")
Found = Sequence[tuple[str, str]]
"""Text and type of each entity."""


def entities_of_sentences() -> list[Found]:
    """Those of the 513 sentences that have any, written as "[Bank - ORGANIZATION, …]"."""
    rows = [row["ideal"] for _, row in read_jsonl(fetched(CONTRACTS))]
    listed = [row.strip("[]").split(", ") for row in rows if row.startswith("[")]
    each = [[part.rsplit(" - ", 1) for part in parts if " - " in part] for parts in listed]
    return [[(text, kind) for text, kind in found] for found in each if found]


def written(found: Found) -> str:
    return json.dumps([{"text": text, "type": kind} for text, kind in found])


def numbered(found: Found) -> set[tuple[str, str, int]]:
    """A multiset as the set that NLTK wants: each repeat is told apart by its number."""
    seen: Counter[tuple[str, str]] = Counter()
    numbers = set()
    for text, kind in found:
        entity = " ".join(text.split()).casefold(), kind.casefold()
        seen[entity] += 1
        numbers.add((*entity, seen[entity]))
    return numbers


def test_entity_f1_is_the_f_measure_of_nltk() -> None:
    found = entities_of_sentences()
    pairs = list(pairwise(found))
    pairs += [(every[::2], every) for every in found]
    pairs += [([*every, *every[:2]], every) for every in found]
    samples = [Sample(str(i), "", (written(target),)) for i, (_, target) in enumerate(pairs)]
    rows = Entities(KINDS).score([written(output) for output, _ in pairs], samples)
    assert len(rows) > 1500
    for (output, target), row in zip(pairs, rows, strict=True):
        for kind in KINDS:
            left, right = ([e for e in side if e[1] == kind] for side in (output, target))
            # NLTK has no value for nothing against nothing.
            wanted = f_measure(numbered(right), numbered(left)) or 0.0 if left or right else 1.0
            assert row[f"entity_f1_{kind}"].value == pytest.approx(wanted, abs=1e-12)
        wanted = f_measure(numbered(target), numbered(output)) or 0.0
        assert row["entity_f1"].value == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_repetition_is_the_share_of_the_n_grams_of_nltk(n: int) -> None:
    plain = [text for pair in abstracts_and_titles() for text in pair if text.isascii()]
    # A longer word is several to the scorer, as a loop may be written without white space.
    texts = [text for text in plain if max(map(len, text.split())) <= LONGEST]
    texts += [f"{text} {text[: len(text) // 3]}" for text in texts]
    rows = Repetition(n).score(texts, [Sample(str(i), "") for i in range(len(texts))])
    values = [row["repetition"].value for row in rows]
    each = [list(ngrams(text.split(), n)) for text in texts]
    wanted = [1 - len(set(grams)) / len(grams) for grams in each]
    assert len(texts) > 600
    assert 250 < sum(share > 0 for share in wanted) < len(texts)
    assert values == pytest.approx(wanted, abs=1e-12)
