"""How many threads to compute with on a CPU, found by trying.

Two threads on cores that others use can be many times slower than one: each part of a matrix
product waits for the slowest. What the others do changes, so the choice is looked at again while
the work goes on, with the work itself.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence

PROBE_S = 1.0
"""Seconds that the first choice may take."""
EVERY = 40
"""Passes between two looks at another number of threads."""
TRIES = 3
"""Passes of one look; the middle one counts."""
BETTER = 0.93
"""Share of the time below which the other number is taken."""


def counts(cores: int) -> list[int]:
    """1, 2, 4, … and all of them."""
    found = [1]
    while found[-1] * 2 < cores:
        found.append(found[-1] * 2)
    return found if cores == 1 else [*found, cores]


def available() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cores() -> int:
    """Threads to compute with at most: ``OMP_NUM_THREADS``, else as many as there are cores."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(said) if said.isdigit() and int(said) else available()


class Threads:
    """The number of threads that torch computes with. One that the user fixed
    (``OMP_NUM_THREADS``) stays, and so does torch's own on a device that is no CPU."""

    def __init__(
        self, device: str, set_to: Callable[[int], None], choices: Sequence[int] | None = None
    ) -> None:
        self._set = set_to
        free = device == "cpu" and "OMP_NUM_THREADS" not in os.environ
        self.choices = list(choices if choices is not None else counts(available())) if free else []
        self._chosen = len(self.choices) - 1
        self._passes = 0
        self._recent: list[float] = []
        self._upwards = False

    @property
    def number(self) -> int | None:
        """None: not ours to choose."""
        return self.choices[self._chosen] if self.choices else None

    def settle(self, work: Callable[[], object], seconds: float = PROBE_S) -> None:
        """Choose by doing ``work`` with each number in turns, for ``seconds`` at most (but each
        number once)."""
        if len(self.choices) < 2:
            return
        work()
        taken: list[list[float]] = [[] for _ in self.choices]
        started = time.perf_counter()
        while not taken[0] or time.perf_counter() - started < seconds:
            for i, number in enumerate(self.choices):
                self._set(number)
                taken[i].append(_timed(work))
        middles = [statistics.median(some) for some in taken]
        self._chosen = middles.index(min(middles))
        self._set(self.choices[self._chosen])

    def lane(self, number: int) -> Callable[[], object]:
        """What a thread does first that is one of so many which compute at a time."""
        each = max(1, cores() // number)
        return lambda: self._set(each)

    def restore(self) -> None:
        """The number for this thread again: some libraries have one for all threads."""
        if self.choices:
            self._set(self.choices[self._chosen])

    def watch(self, work: Callable[[], object]) -> None:
        """Do ``work``, one pass of many that are alike, and now and then see whether the next
        passes are faster with twice or half as many threads."""
        if len(self.choices) < 2:
            work()
            return
        self._passes += 1
        look = self._passes % EVERY
        if look == 0:
            self._upwards = not self._upwards
            self._look_at(work)
            return
        self._recent = [*self._recent[-(TRIES - 1) :], _timed(work)]

    def _look_at(self, work: Callable[[], object]) -> None:
        """One pass with the neighbour; its cost is bounded by taking the pass before as limit."""
        other = self._chosen + (1 if self._upwards else -1)
        if not 0 <= other < len(self.choices) or len(self._recent) < TRIES:
            work()
            return
        self._set(self.choices[other])
        seconds = _timed(work)
        if seconds < BETTER * statistics.median(self._recent):
            self._chosen, self._recent = other, []
        self._set(self.choices[self._chosen])


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
