"""Words as the SQuAD v1.1 evaluation script has them, a step at a time, and their overlap.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", and its
``evaluate-v1.1.py``: lower case, no punctuation, no articles, single spaces.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Hashable, Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.IGNORECASE)


def without_punctuation(text: str) -> str:
    """Without the 32 punctuation characters of ASCII; others stay, as in the script."""
    return text.translate(_PUNCTUATION)


def without_articles(text: str) -> str:
    """With a space for each English article."""
    return _ARTICLES.sub(" ", text)


def squad_tokens(text: str) -> list[str]:
    """The words that SQuAD compares."""
    return without_articles(without_punctuation(text.lower())).split()


def multiset_f1(predicted: Iterable[Hashable], wanted: Iterable[Hashable]) -> float:
    """Harmonic mean of precision and recall of two multisets, 2|P∩T| / (|P|+|T|); 1 if both are
    empty."""
    left, right = Counter(predicted), Counter(wanted)
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 1.0
