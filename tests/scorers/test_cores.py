"""Work on several cores is the work of one, whatever happens to the workers."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.scorers import Bleu, Chrf, Rouge
from harness.scorers._cores import spread

ITEMS = list(range(300))


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * i for i in items]


def process(items: Sequence[int]) -> list[int]:
    return [os.getpid() for _ in items]


def complaining(items: Sequence[int]) -> list[int]:
    if max(items) > 200:
        raise UsageError("that is too much")
    return doubled(items)


def dying(items: Sequence[int]) -> list[int]:
    if os.getppid() == PARENT and max(items) > 200:
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(items)


PARENT = int(os.environ.setdefault("TEST_CORES_PARENT", str(os.getpid())))
"""Of the test's process, in the workers too."""


def everywhere(work: Callable[[Sequence[int]], Sequence[int]]) -> list[int]:
    """As if the rest of it took hours."""
    return spread(work, ITEMS, lambda i: 1.0 + i % 7, first=0, worth_it=0, part_seconds=1e-6)


@pytest.fixture(autouse=True)
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def test_the_results_are_in_order() -> None:
    assert everywhere(doubled) == doubled(ITEMS)
    assert spread(doubled, [], lambda i: 1.0) == []


def test_much_work_is_done_by_workers_and_little_here() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    first, *_, last = everywhere(process)
    assert first == os.getpid() != last
    assert set(spread(process, ITEMS, lambda i: 1.0)) == {os.getpid()}


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(UsageError, match="too much"):
        everywhere(complaining)


def test_workers_that_die_lose_nothing() -> None:
    assert everywhere(dying) == doubled(ITEMS)


@pytest.mark.parametrize(
    ("work", "target"),
    [
        (Rouge(stemmer=True)._pairs, "the cats"),
        (Bleu()._each, ("the cats",)),
        (Chrf()._each, ("the cats",)),
    ],
)
def test_slow_scorers_can_be_handed_out(
    work: Callable[[Sequence[Any]], Sequence[Any]], target: Any
) -> None:
    # Else they would be done on one core, and nobody would notice.
    assert pickle.dumps(work)
    items = [(text, target) for text in ("the cat sat on the mat", "a dog", "")] * 20
    spread_out = spread(work, items, lambda item: 1.0, first=0, worth_it=0, part_seconds=1e-6)
    assert spread_out == work(items)


def test_work_that_cannot_be_handed_out_is_done_here() -> None:
    lock = threading.Lock()

    def locked(items: Sequence[int]) -> list[int]:
        with lock:
            return doubled(items)

    assert everywhere(locked) == doubled(ITEMS)
