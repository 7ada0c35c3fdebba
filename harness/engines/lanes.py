"""Several streams of passes on one CPU, each in a thread of its own with the model in common.

On two cores two streams of one thread each read prompts twice as fast as one, and decode 1.7 times
as fast; one stream of two threads gains less, and where others use the cores it is many times
slower, as each part of a product waits for the slowest. torch leaves Python's lock while it
computes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from harness.engines.threads import cores

T = TypeVar("T")

MOST = 2
"""Lanes; more were not measured."""
LEAST = 8
"""Rows that a lane must have: with fewer, the weights that every pass reads cost as much as the
rows."""
WHOLE = 10
"""What belongs together stays so where it is at most such a part of a lane's share of the work:
to read a beginning in both lanes costs less than a lane that waits for the other."""
MOVING = frozenset({"dynamic", "longrope"})
"""Position embeddings that each pass may write into the model."""


def number(device: str, model: Any, rows: int) -> int:
    """How many lanes answer so many rows."""
    if device != "cpu" or not _still(model):
        return 1
    return max(1, min(MOST, cores(), rows // LEAST))


def _still(model: Any) -> bool:
    """Whether a pass leaves the model as it was, so that passes may go side by side."""
    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    parts = [rope, *(part for part in rope.values() if isinstance(part, Mapping))]
    kinds = {part.get("rope_type") or part.get("type") for part in parts}
    return not kinds & MOVING


def dealt(
    items: Sequence[T],
    lanes: int,
    work: Callable[[T], int],
    together: Callable[[T], object] = lambda item: None,
    common: Callable[[T], int] = lambda item: 0,
) -> list[list[T]]:
    """The items, each to the lane that has least to do, by the items' ``work``. ``common``: work
    that a lane does once for all its items of equal ``together``; such items go to one lane,
    unless they are much of the whole and what they have in common is little.

    The same items always make the same lanes: what shares a batch must not hang on a clock.
    """
    groups: dict[object, int] = {}
    for item in items:
        key = together(item)
        groups[key] = groups.get(key, 0) + work(item)
    most = sum(groups.values()) // (lanes * WHOLE)
    loads = [0] * lanes
    found: list[list[T]] = [[] for _ in loads]
    homes: dict[object, int] = {}
    begun: set[tuple[object, int]] = set()
    for item in items:
        key = together(item)
        lane = homes.get(key)
        if lane is None:
            lane = min(range(lanes), key=loads.__getitem__)
            once = common(item) if key is not None else 0
            if key is not None and (groups[key] <= most or once * lanes >= groups[key]):
                homes[key] = lane
                # All that is to come, so that others go elsewhere from now on.
                loads[lane] += groups[key] + once
            else:
                loads[lane] += work(item) + (once if (key, lane) not in begun else 0)
                begun.add((key, lane))
        found[lane].append(item)
    return found


def merged(
    streams: Sequence[Iterator[Sequence[T]]], begin: Callable[[], object] = lambda: None
) -> Iterator[T]:
    """The items of all streams as they come, each stream run by a thread of its own.

    ``begin``: called in each thread first. An exception of one ends all, and is raised here; so
    does closing this iterator. A stream is left only between two of its elements, so it should
    give some, empty ones too, as often as it can be left.
    """
    news: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    ending = threading.Event()

    def run(stream: Iterator[Sequence[T]]) -> None:
        try:
            begin()
            for items in stream:
                news.put((True, items))
                if ending.is_set():
                    break
            news.put((False, None))
        except BaseException as error:  # handed over to the thread that waits
            news.put((False, error))

    threads = [threading.Thread(target=run, args=(s,), daemon=True) for s in streams]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            while True:
                more, what = news.get()
                if not more:
                    break
                yield from what
            if what is not None:
                raise what
    finally:
        ending.set()
        for thread in threads:
            thread.join()


class Turns:
    """Who may pass now: those of the same kind together, those of no kind alone, in the order in
    which they came, so that nobody waits for ever."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[object] = []
        self._inside = 0
        self._kind: object = None

    def enter(self, kind: object, prepare: Callable[[], T]) -> T:
        """Wait for the turn. ``kind`` None: alone. ``prepare``: called while nobody changes what
        it sees; where it raises, nobody has entered."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._fits(kind))
                found = prepare()
                self._inside, self._kind = self._inside + 1, kind
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        return found

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def _fits(self, kind: object) -> bool:
        return not self._inside or (kind is not None and kind == self._kind)
