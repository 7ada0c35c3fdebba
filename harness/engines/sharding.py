"""How requests are cut into shards for several workers: plain Python, no model and no Ray."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, Protocol, TypeVar


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)

ROUNDS = 4
"""Shards for each worker, so that one who is slow holds up the end by no more than a part."""
ROWS = 32
"""A shard is not cut below this many requests for balance alone: large batches are the first lever
on speed."""


@dataclass
class Shard(Generic[T]):
    """Requests that one worker is given at a time."""

    left: dict[str, T]
    """Key to request, of those that have no answer yet."""
    cost: int = 0
    """Tokens, about; what the order of handing out goes by."""
    deaths: int = field(default=0, compare=False)
    """Workers in a row that died over it before they gave an answer."""

    def halves(self) -> list[Shard[T]]:
        """What is left, in two; in one where it is one request."""
        items = list(self.left.items())
        middle = ceil(len(items) / 2)
        parts = [part for part in (items[:middle], items[middle:]) if part]
        return [Shard(dict(part), self.cost // len(parts), self.deaths) for part in parts]


def cut(
    requests: Sequence[T],
    workers: int,
    *,
    group: Callable[[T], Hashable],
    cost: Callable[[T], int],
) -> list[Shard[T]]:
    """Every request in one shard, the costliest shard first.

    The requests of a shard are of one ``group`` (they can share a batch) and of similar cost.
    Costliest first is the rule by which the last shards, which decide when all is done, are small.
    """
    groups: dict[Hashable, list[T]] = {}
    for request in requests:
        groups.setdefault(group(request), []).append(request)
    rows = min(max(ROWS, ceil(len(requests) / (ROUNDS * workers))), ceil(len(requests) / workers))
    found = []
    for mine in groups.values():
        ordered = sorted(mine, key=lambda r: (-cost(r), r.key))
        found += _cut(ordered, ceil(len(ordered) / rows), cost)
    return sorted(found, key=lambda shard: (-shard.cost, next(iter(shard.left))))


def _cut(ordered: Sequence[T], pieces: int, cost: Callable[[T], int]) -> list[Shard[T]]:
    """At most ``pieces`` shards of about the same cost, in order."""
    costs = [max(cost(r), 1) for r in ordered]
    target = sum(costs) / pieces
    found: list[Shard[T]] = []
    done = 0.0
    for request, tokens in zip(ordered, costs, strict=True):
        # By where its middle falls, so that no piece is begun for the last few tokens.
        if len(found) <= min(pieces - 1, (done + tokens / 2) // target):
            found.append(Shard({}))
        found[-1].left[request.key] = request
        found[-1].cost += tokens
        done += tokens
    return found
