from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, SuiteError
from harness.retrieval import index, tokenise
from harness.types import Document, Retriever


@dataclass(frozen=True)
class Letters:
    """An encoder without a model: counts of letters."""

    version: str = "1"

    @property
    def identity(self) -> Mapping[str, str]:
        return {"version": self.version}

    def encode(self, texts: Sequence[str]) -> Any:
        letters = "abcdefghijklmnopqrstuvwxyz"
        counts = np.array([[t.count(c) for c in letters] for t in texts], dtype=np.float32)
        return (counts + 0.01) / np.linalg.norm(counts + 0.01, axis=1, keepdims=True)

    limit = 1000

    def cut(self, texts: Sequence[str]) -> list[bool]:
        return [len(text) > self.limit for text in texts]


def build(kind: str, texts: Sequence[str]) -> Any:
    corpus = [Document(f"d{i}", text) for i, text in enumerate(texts)]
    retriever = Retriever("bm25") if kind == "bm25" else Retriever("dense", encoder="./e")
    return index(retriever, corpus, encoder=Letters())


both = pytest.mark.parametrize("kind", ["bm25", "dense"])


def ids(hits: Sequence[Any]) -> list[str]:
    return [hit.id for hit in hits]


@both
def test_the_best_document_comes_first(kind: str) -> None:
    found = build(kind, ["zebra zebra", "apple pie", "zebra apple"]).search(["zebra", "pie"], 2)
    assert ids(found[0]) == ["d0", "d2"]
    assert ids(found[1])[0] == "d1"
    assert found[0][0].text == "zebra zebra"
    assert found[0][0].score > found[0][1].score


@both
def test_k_is_at_least_one_and_at_most_the_corpus(kind: str) -> None:
    made = build(kind, ["one", "two"])
    assert [len(hits) for hits in made.search(["one", "none of these"], 5)] == [2, 2]
    with pytest.raises(ValueError, match="'k'"):
        made.search(["one"], 0)


@both
def test_an_empty_corpus_and_no_queries_give_nothing(kind: str) -> None:
    assert build(kind, []).search(["one", "two"], 3) == [[], []]
    assert build(kind, ["one"]).search([], 3) == []
    assert len(build(kind, []).fingerprint) == 64


@both
def test_equals_come_in_the_order_of_the_corpus(kind: str) -> None:
    made = build(kind, ["other"] + ["same text"] * 50)
    assert ids(made.search(["same"], 4)[0]) == ["d1", "d2", "d3", "d4"]


@pytest.mark.parametrize("query", ["", "  ", "?!", "unheard"])
def test_a_query_without_a_known_word_scores_every_document_alike(query: str) -> None:
    (hits,) = build("bm25", ["one", "two", "three"]).search([query], 2)
    assert [(hit.id, hit.score) for hit in hits] == [("d0", 0.0), ("d1", 0.0)]


def test_documents_without_a_word_are_never_preferred() -> None:
    made = build("bm25", ["", "---", "word"])
    assert ids(made.search(["word"], 1)[0]) == ["d2"]
    assert ids(build("bm25", ["", "?"]).search(["word"], 1)[0]) == ["d0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bayern, DE-BY", ["bayern", "de", "by"]),
        ("Łódź", ["łódź"]),
        ("Île-de-France", ["île", "de", "france"]),
        ("I\u0302le", ["île"]),
        ("a 1 of the 7", ["a", "1", "of", "the", "7"]),
        ("x_y", ["x", "y"]),
        ("Straße ΑΘΗΝΑ", ["strasse", "αθηνα"]),
        ("हिन्दी", ["हिन्दी"]),
        ("\ud83d lone", ["lone"]),
        ("", []),
    ],
)
def test_words_are_kept_whole_whatever_their_letters(text: str, words: list[str]) -> None:
    assert tokenise(text) == words


def test_codes_and_names_are_found() -> None:
    texts = ["Bayern DE-BY", "Łódzkie PL-10", "Île-de-France FR-IDF", "Berlin DE-BE", "E 5"]
    made = build("bm25", texts)
    for query, wanted in (
        ("Which code has Bayern?", "d0"),
        ("łódzkie", "d1"),
        ("ÎLE-DE-FRANCE", "d2"),
        ("BE", "d3"),
        ("5", "d4"),
    ):
        assert ids(made.search([query], 1)[0]) == [wanted]


def test_bm25_scores_are_those_of_the_formula() -> None:
    texts = ["a b c", "a a d e f", "g"]
    made = build("bm25", texts)
    docs = [t.split() for t in texts]
    mean = sum(map(len, docs)) / len(docs)

    def score(doc: list[str]) -> float:
        total = 0.0
        for word in ("a", "d"):
            df = sum(word in d for d in docs)
            idf = np.log(1 + (len(docs) - df + 0.5) / (df + 0.5))
            tf = doc.count(word)
            total += idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * len(doc) / mean))
        return total

    (hits,) = made.search(["A d"], 3)
    assert ids(hits) == ["d1", "d0", "d2"]
    assert [h.score for h in hits] == pytest.approx([score(docs[1]), score(docs[0]), 0], rel=1e-5)


def test_a_fingerprint_is_of_corpus_kind_and_encoder() -> None:
    corpus = [Document("a", "one")]
    dense = Retriever("dense", encoder="./e")
    prints = {
        index(Retriever("bm25"), corpus).fingerprint,
        index(Retriever("bm25"), [Document("a", "two")]).fingerprint,
        index(Retriever("bm25"), [Document("b", "one")]).fingerprint,
        index(dense, corpus, encoder=Letters()).fingerprint,
        index(dense, corpus, encoder=Letters("2")).fingerprint,
    }
    assert len(prints) == 5
    assert index(Retriever("bm25", k=9), corpus).fingerprint in prints


def test_what_cannot_be_searched_is_said() -> None:
    twice = [Document("a", "one"), Document("a", "two")]
    for kind in ("bm25", "dense"):
        with pytest.raises(DataError, match="id 'a'"):
            index(Retriever(kind), twice, encoder=Letters())  # type: ignore[arg-type]
    with pytest.raises(SuiteError, match="needs an encoder"):
        index(Retriever("dense"), [])


def test_searching_prints_nothing_and_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from harness.retrieval import index\n"
        "from harness.types import Document, Retriever\n"
        "assert 'bm25s' not in sys.modules\n"
        "index(Retriever(), [Document('a', 'one')]).search(['one'], 1)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
