"""Texts that say the same: equal after normalisation, or nearly so."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

THRESHOLD = 0.8
"""Jaccard similarity of token shingles from which two texts are near-duplicates."""
SHINGLE = 3
_TOKEN = re.compile(r"\w+|[^\w\s]")


def normalise(text: str) -> str:
    """Unicode NFKC, case folded, white space collapsed. Punctuation stays: 3-2 is not 3+2."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def near_duplicates(texts: Sequence[str], *, threshold: float = THRESHOLD) -> list[int]:
    """For each text the index of the text that stands for it: its own where it is kept.

    Two texts are near-duplicates where the Jaccard similarity of their sets of 3-token shingles
    (of normalised text; a shorter text is one shingle) is at least ``threshold``, in (0, 1]. The
    shortest text is kept first, of equals the first; each further one unless it is a
    near-duplicate of one kept. So no two kept texts are near-duplicates.

    Exact, not sampled: candidates come from the prefix filter of Chaudhuri, Ganti and Kaushik
    (2006) with the shorter indexing prefix of PPJoin (Xiao et al., 2008). Only the rarest
    shingles are indexed, so that a template which all texts share costs nothing.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"The 'threshold' parameter must be in (0, 1], got {threshold}.")
    sets = [_shingles(text) for text in texts]
    first: dict[frozenset[str], int] = {}
    stands = [first.setdefault(shingles, i) for i, shingles in enumerate(sets)]
    for i, other in _absorbed(sets, sorted(first.values()), threshold).items():
        stands[i] = other
    return [stands[i] for i in stands]


def _shingles(text: str) -> frozenset[str]:
    tokens = _TOKEN.findall(normalise(text))
    if len(tokens) < SHINGLE:
        return frozenset([" ".join(tokens)])
    return frozenset(" ".join(tokens[i : i + SHINGLE]) for i in range(len(tokens) - SHINGLE + 1))


def _absorbed(
    sets: Sequence[frozenset[str]], indices: Sequence[int], threshold: float
) -> dict[int, int]:
    """Of distinct sets, those that are near-duplicates of a kept one, and of which."""
    counts = Counter(shingle for i in indices for shingle in sets[i])
    index: dict[str, list[int]] = defaultdict(list)
    absorbed: dict[int, int] = {}
    # Short sets first: every set in the index is then no longer than the one that looks it up.
    for i in sorted(indices, key=lambda i: (len(sets[i]), i)):
        size = len(sets[i])
        least = _least(threshold * size)
        rarest = sorted(sets[i], key=lambda shingle: (counts[shingle], shingle))
        found = {j for shingle in rarest[: size - least + 1] for j in index[shingle]}
        similar = [
            j for j in found if len(sets[j]) >= least and _similar(sets[i], sets[j], threshold)
        ]
        if similar:
            absorbed[i] = min(similar)
            continue
        # A set that finds this one is no shorter, so that they must share at least this much.
        shared = _least(2 * threshold / (1 + threshold) * size)
        for shingle in rarest[: size - shared + 1]:
            index[shingle].append(i)
    return absorbed


def _similar(a: frozenset[str], b: frozenset[str], threshold: float) -> bool:
    shared = len(a & b)
    return shared >= _least(threshold * (len(a) + len(b) - shared))


def _least(value: float) -> int:
    """The ceiling, but for rounding: 0.8 * 5 must not ask for 5 by being 4.000000001."""
    return math.ceil(value - 1e-9)
