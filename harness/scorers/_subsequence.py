"""The length of the longest common subsequence, many cells at a time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def subsequence_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """How many items the longest common subsequence of the two has.

    Hyyrö 2004, "Bit-parallel LCS-length computation revisited": a column of the table of dynamic
    programming is one integer of ``len(left)`` bits, in which a 0 stands where the length grows.
    """
    places: dict[Hashable, int] = {}
    for i, item in enumerate(left):
        places[item] = places.get(item, 0) | 1 << i
    every = (1 << len(left)) - 1
    column = every
    for item in right:
        matches = column & places.get(item, 0)
        # A sum carries beyond the last row, which the mask takes away.
        column = ((column + matches) | (column - matches)) & every
    return len(left) - column.bit_count()
