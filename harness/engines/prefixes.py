"""Which prompts begin alike, so that what they share is read once.

A system prompt, fixed shots, or a document that several questions are about: the keys and values
of such a beginning depend on nothing that follows it. They belong to one adapter (or the bare
base).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

LEAST = 16
"""Tokens that a shared beginning must have."""
WORTH = 256
"""Tokens that a group must spare: each beginning is a pass of its own, which reads all weights for
one row."""


def shared(
    prompts: Sequence[Sequence[int]], *, most: int | None = None, worth: int = WORTH
) -> list[int]:
    """For each prompt the length of the beginning that it shares with others, in tokens; 0: none.

    Prompts of equal beginnings of that length form a group, read once; a prompt is in the group
    that spares the most. At least one token of each prompt is left to be read with it. ``most``:
    of tokens in all groups' beginnings together (memory); those that spare least are given up.
    ``worth``: tokens that a group must spare.
    """
    order = sorted(range(len(prompts)), key=lambda i: tuple(prompts[i]))
    rows = [tuple(prompts[i]) for i in order]
    common = [_common(a, b) for a, b in itertools.pairwise(rows)]
    groups: list[tuple[int, list[int]]] = []
    _split(rows, common, max(worth, 1), groups)
    found = [0] * len(prompts)
    held = 0
    for length, members in sorted(groups, key=lambda g: -g[0] * (len(g[1]) - 1)):
        if most is not None and held + length > most:
            continue
        held += length
        for member in members:
            found[order[member]] = length
    return found


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Tokens that both begin with, the last token of each left out."""
    end = min(len(a), len(b)) - 1
    return next((i for i in range(end) if a[i] != b[i]), max(end, 0))


def _split(
    rows: Sequence[Sequence[int]],
    common: Sequence[int],
    worth: int,
    groups: list[tuple[int, list[int]]],
) -> None:
    """The groups of the sorted rows, added to ``groups``.

    Neighbours that share much are split off where that spares more than all of them together; the
    rest share what all have in common. A stack in place of recursion: beginnings can nest deeply.
    """
    todo = [(0, len(rows))]
    while todo:
        start, end = todo.pop()
        if end - start < 2:
            continue
        here = min(common[start : end - 1])
        stay: list[int] = []
        for first, last in _runs(common, start, end, here):
            n = last - first
            inside = min(common[first : last - 1]) if n > 1 else 0
            # Staying spares `here` tokens of each row, leaving `inside` of all but one.
            spared = (n - 1) * inside
            apart = inside >= LEAST and spared >= worth and spared > n * here
            if n > 1 and (apart or here < LEAST):
                todo.append((first, last))
            else:
                stay += range(first, last)
        if here >= LEAST and (len(stay) - 1) * here >= worth:
            groups.append((here, stay))


def _runs(common: Sequence[int], start: int, end: int, here: int) -> list[tuple[int, int]]:
    """Stretches of sorted rows whose neighbours share more than ``here`` tokens."""
    cuts = [i + 1 for i in range(start, end - 1) if common[i] <= here]
    edges = [start, *cuts, end]
    return list(itertools.pairwise(edges))
