"""Dense retrieval: the cosine of sentence vectors, over every document (exact search)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from harness import fingerprints
from harness.retrieval.ranking import Hit, best, check_ids
from harness.types import Document, Encoder


class Dense:
    """An index of ``corpus``, in memory; its vectors are made at the first search, with a warning
    where the encoder reads only the beginnings of documents (or of questions).

    Raises DataError where two documents share an id.
    """

    def __init__(self, corpus: Sequence[Document], encoder: Encoder) -> None:
        check_ids(corpus)
        self._corpus = tuple(corpus)
        self._encoder = encoder

    @cached_property
    def fingerprint(self) -> str:
        return fingerprints.of(
            {"kind": "dense", "encoder": self._encoder.identity, "corpus": self._corpus}
        )

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """See ``harness.retrieval.Index``. Scores are cosines, from -1 to 1."""
        if not self._corpus or not queries:
            return [[] for _ in queries]
        self._warn_of_cuts(queries, "questions", "Ask shorter ones.")
        # Row by row: a matrix of all queries by all documents may not fit into memory.
        return [
            best(self._corpus, self._vectors @ query, k) for query in self._encoder.encode(queries)
        ]

    @cached_property
    def _vectors(self) -> Any:
        texts = [document.text for document in self._corpus]
        self._warn_of_cuts(texts, "documents", "Cut them into shorter ones.")
        return self._encoder.encode(texts)

    def _warn_of_cuts(self, texts: Sequence[str], what: str, remedy: str) -> None:
        n = sum(self._encoder.cut(texts))
        if n:
            warnings.warn(
                f"{n} of {len(texts)} {what} are longer than the encoder's {self._encoder.limit} "
                f"tokens; it sees only their beginnings. {remedy}",
                stacklevel=3,
            )
