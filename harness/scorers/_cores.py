"""Slow pure-Python work on several cores, where it is long enough to be worth it.

What comes out is what one core gives, item for item and in order: only where an item is computed
depends on the clock.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from itertools import chain
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

FIRST = 0.5
"""Seconds of work in this process that tell how long the rest will take."""
WORTH_IT = 4.0
"""Seconds of work left from which workers pay: one starts and imports in one to two."""
PART = 0.3
"""Seconds of work that a worker is handed at a time."""


def spread(
    work: Callable[[Sequence[Item]], Sequence[Result]],
    items: Sequence[Item],
    size: Callable[[Item], float],
    *,
    first: float = FIRST,
    worth_it: float = WORTH_IT,
    part_seconds: float = PART,
) -> list[Result]:
    """``work`` of the items, in parts, in order; on all cores where more than ``worth_it`` seconds
    of it are left after the ``first`` seconds here.

    ``work`` must give one result for each item and the same one wherever it runs, and be a
    function or method that pickle knows by name. ``size`` estimates the effort of an item, in any
    unit. What ``work`` raises is raised; workers that cannot be had or that die (out of memory,
    killed) only cost time, as their parts are then done here.
    """
    done: list[Result] = []
    weights = [size(item) for item in items]
    left, spent, started = sum(weights), 0.0, time.perf_counter()
    for part in _parts(weights, left / 200):
        passed = time.perf_counter() - started
        if passed > first and spent:
            pace = spent / passed
            if left / pace > worth_it and (workers := _workers()) > 1:
                rest = range(part.start, len(items))
                return done + _handed_out(work, items, weights, rest, pace * part_seconds, workers)
        done += work([items[i] for i in part])
        weight = sum(weights[i] for i in part)
        left, spent = left - weight, spent + weight
    return done


def _parts(weights: Sequence[float], least: float, start: int = 0) -> Iterator[range]:
    """Runs of indices from ``start``, each of at least that weight (but for the last)."""
    weight = 0.0
    for i in range(start, len(weights)):
        weight += weights[i]
        if weight >= least:
            yield range(start, i + 1)
            start, weight = i + 1, 0.0
    if start < len(weights):
        yield range(start, len(weights))


def _workers() -> int:
    if multiprocessing.current_process().daemon:
        return 1  # It may have no children.
    from joblib import cpu_count

    return int(cpu_count())


def _handed_out(
    work: Callable[[Sequence[Item]], Sequence[Result]],
    items: Sequence[Item],
    weights: Sequence[float],
    rest: range,
    least: float,
    workers: int,
) -> list[Result]:
    from joblib import Parallel, delayed

    parts = list(_parts(weights, least, rest.start))
    done: list[Sequence[Result]] = []
    try:
        # Fresh processes: a fork of one that has torch's threads can hang.
        parallel = Parallel(
            workers, backend="loky", return_as="generator", batch_size=1, mmap_mode=None
        )
        for result in parallel(delayed(work)([items[i] for i in part]) for part in parts):
            done.append(result)
    except (BrokenExecutor, pickle.PicklingError, OSError):
        done += (work([items[i] for i in part]) for part in parts[len(done) :])
    return list(chain.from_iterable(done))
