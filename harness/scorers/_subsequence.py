"""Longest common subsequences, many cells of the table at a time.

Hyyrö 2004, "Bit-parallel LCS-length computation revisited": a column of the table of dynamic
programming is one integer with a bit for each item of ``left``, a 0 where the length grows by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence


def subsequence_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """How many items the longest common subsequence of the two has. Time grows with
    ``len(left) * len(right) / 64``."""
    column = _full(left)
    for column in _columns(left, right):  # noqa: B007 - the last one is what it is for
        pass
    return _length(column, len(left))


def subsequence(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[int]:
    """Indices into ``left`` of one longest common subsequence, ascending.

    Of several the one that rouge-score reads back from its table: from the ends, two equal items
    are taken, else an item of ``right`` is left out where that alone keeps the length, else one
    of ``left``. A bit of memory for each pair of items.
    """
    columns = [_full(left), *_columns(left, right)]
    i, j = len(left), len(right)
    found: list[int] = []
    while i and j:
        if left[i - 1] == right[j - 1]:
            found.append(i - 1)
            i, j = i - 1, j - 1
        elif _length(columns[j - 1], i) > _length(columns[j], i - 1):
            j -= 1
        else:
            i -= 1
    return found[::-1]


def _columns(left: Sequence[Hashable], right: Sequence[Hashable]) -> Iterator[int]:
    places: dict[Hashable, int] = {}
    for i, item in enumerate(left):
        places[item] = places.get(item, 0) | 1 << i
    every = column = _full(left)
    for item in right:
        matches = column & places.get(item, 0)
        # A sum carries beyond the last row, which the mask takes away.
        column = ((column + matches) | (column - matches)) & every
        yield column


def _full(left: Sequence[Hashable]) -> int:
    return (1 << len(left)) - 1


def _length(column: int, rows: int) -> int:
    """Of the longest common subsequence with the first ``rows`` items."""
    return rows - (column & ((1 << rows) - 1)).bit_count()
