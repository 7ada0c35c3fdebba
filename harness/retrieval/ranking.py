"""What a search returns, and the order of equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.errors import DataError
from harness.types import Document


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that a search found. Scores compare within one search only."""

    id: str
    text: str
    score: float


class Index(Protocol):
    """A corpus that can be searched."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the corpus and of all that decides what a search finds."""
        ...

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """For each query the ``min(k, len(corpus))`` best documents, best first.

        Equals come in the corpus's order. A query that says nothing the index knows still gets
        that many: every document then scores the same.
        """
        ...


def best(corpus: Sequence[Document], scores: Any, k: int) -> list[Hit]:
    """The ``k`` documents of the highest ``scores`` (array of shape (len(corpus),))."""
    import numpy as np

    if k < 1:
        raise ValueError(f"The 'k' parameter must be at least 1, got {k}.")
    n = len(corpus)
    if n == 0:
        return []
    k = min(k, n)
    least = np.partition(scores, n - k)[n - k]
    enough = np.flatnonzero(scores >= least)
    order = enough[np.argsort(-scores[enough], kind="stable")][:k]
    return [Hit(corpus[i].id, corpus[i].text, float(scores[i])) for i in order]


def check_ids(corpus: Sequence[Document]) -> None:
    """Raise DataError where two documents have one id: a hit could not be told from another."""
    seen: set[str] = set()
    for document in corpus:
        if document.id in seen:
            raise DataError(f"Two documents have the id '{document.id}'. Ids must be unique.")
        seen.add(document.id)
