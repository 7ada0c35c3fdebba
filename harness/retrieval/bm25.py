"""BM25 over whole words (Robertson and Zaragoza, 2009; the variant of Lucene, by bm25s)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from harness import fingerprints
from harness.retrieval.ranking import Hit, best, check_ids
from harness.types import Document

K1, B = 1.5, 0.75
TOKENS = "1"
"""Version of ``tokenise``, part of the fingerprint."""


def tokenise(text: str) -> list[str]:
    """Words of ``text``, case folded: runs of letters, marks and digits of any script.

    Nothing is left out: a code of one letter, a digit or a stop word can be the answer's key.
    """
    import regex

    # Without marks (\p{M}) words of Indic scripts would fall apart at their vowels.
    found: list[str] = regex.findall(
        r"[\p{L}\p{M}\p{N}]+", unicodedata.normalize("NFKC", text).casefold()
    )
    return found


class BM25:
    """An index of ``corpus``, in memory. Raises DataError where two documents share an id."""

    def __init__(self, corpus: Sequence[Document]) -> None:
        check_ids(corpus)
        self._corpus = tuple(corpus)

    @cached_property
    def fingerprint(self) -> str:
        settings = {"k1": K1, "b": B, "tokens": TOKENS, "bm25s": version("bm25s")}
        return fingerprints.of({"kind": "bm25", "settings": settings, "corpus": self._corpus})

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """See ``harness.retrieval.Index``. Scores are BM25's, 0 where no word is shared."""
        return [best(self._corpus, self._scores(query), k) for query in queries]

    def _scores(self, query: str) -> Any:
        import numpy as np

        known = [token for token in tokenise(query) if token in self._vocabulary]
        if not known:
            return np.zeros(len(self._corpus), dtype=np.float32)
        return self._index.get_scores(known)

    @cached_property
    def _tokens(self) -> list[list[str]]:
        return [tokenise(document.text) for document in self._corpus]

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(token for tokens in self._tokens for token in tokens)

    @cached_property
    def _index(self) -> Any:
        import bm25s

        index = bm25s.BM25(method="lucene", k1=K1, b=B)
        index.index(self._tokens, show_progress=False)
        return index
