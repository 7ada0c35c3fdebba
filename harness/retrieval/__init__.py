"""Indexes over a corpus: BM25 and dense. A new kind is a new file and a line in ``index``."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import SuiteError
from harness.retrieval.bm25 import BM25, tokenise
from harness.retrieval.dense import Dense
from harness.retrieval.ranking import Hit, Index
from harness.types import Document, Encoder, Retriever

__all__ = ["BM25", "Dense", "Hit", "Index", "index", "tokenise"]


def index(
    retriever: Retriever, corpus: Sequence[Document], encoder: Encoder | None = None
) -> Index:
    """The index that ``retriever`` searches. ``encoder``: the loaded one that it names.

    Raises SuiteError for a dense retriever without encoder, DataError for doubled document ids.
    """
    if retriever.kind == "bm25":
        return BM25(corpus)
    if encoder is None:
        raise SuiteError("A dense retriever needs an encoder: write encoder = a model reference.")
    return Dense(corpus, encoder)
