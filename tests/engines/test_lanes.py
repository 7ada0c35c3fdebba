"""Streams of passes side by side: nothing lost, nothing mixed up, and an end when one ends."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.lanes import Turns, dealt, merged, number


def stream(items: range, size: int = 3) -> Iterator[list[int]]:
    left = list(items)
    while left:
        yield left[:size]
        del left[:size]
        yield []


def test_every_item_of_every_stream_comes_once() -> None:
    begun: list[int] = []
    found = list(
        merged(
            [stream(range(100)), stream(range(100, 107)), stream(range(0))],
            lambda: begun.append(threading.get_ident()),
        )
    )
    assert sorted(found) == list(range(107))
    assert len(begun) == 3


def test_what_one_stream_raises_ends_the_others() -> None:
    given = 0

    def endless() -> Iterator[list[int]]:
        nonlocal given
        while True:
            given += 1
            yield []

    def broken() -> Iterator[list[int]]:
        yield [1]
        raise RuntimeError("out of memory")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="out of memory"):
        list(merged([endless(), broken()]))
    assert threading.active_count() == before
    seen = given
    time.sleep(0.02)
    assert given == seen


def test_leaving_early_ends_the_streams() -> None:
    before = threading.active_count()
    items = merged([stream(range(10_000)), stream(range(10_000))])
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_those_of_one_kind_pass_together_and_no_others_with_them() -> None:
    turns, inside, wrong = Turns(), [], []
    both = threading.Barrier(2)

    def together() -> None:
        turns.enter("a", lambda: None)
        both.wait(10)
        turns.leave()

    pair = [threading.Thread(target=together) for _ in range(2)]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert not both.broken

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(100):
            kind = draw.choice(["a", "b", None])
            # What was prepared is what holds while one is inside.
            mine = turns.enter(kind, lambda kind=kind: kind or object())
            inside.append(mine)
            time.sleep(draw.random() / 5_000)
            wrong.extend(one for one in list(inside) if one != mine)
            inside.remove(mine)
            turns.leave()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert not any(one.is_alive() for one in threads), "nobody waits for ever"
    assert not wrong


def test_who_cannot_be_prepared_keeps_nobody_waiting() -> None:
    turns = Turns()

    def broken() -> None:
        raise ValueError("no such adapter")

    with pytest.raises(ValueError, match="no such adapter"):
        turns.enter("a", broken)
    assert turns.enter("b", lambda: 1) == 1


def test_lanes_are_dealt_alike_and_what_belongs_together_stays() -> None:
    items = [(i, "doc" if i % 50 == 0 else None) for i in range(100)]

    def deal(together: Callable[[tuple[int, str | None]], object]) -> list[list[Any]]:
        return dealt(items, 2, lambda item: 1, together)

    one, two = deal(lambda item: item[1])
    assert sorted([*one, *two]) == items
    assert {len(one), len(two)} == {50}
    assert sum(any(kind for _, kind in lane) for lane in (one, two)) == 1
    assert [one, two] == deal(lambda item: item[1])
    # What is much of the whole does not put all into one lane.
    assert [len(lane) for lane in deal(lambda item: "system")] == [50, 50]


def test_lanes_have_as_much_to_do_not_as_many() -> None:
    """Of long prompts and short ones that begin alike among themselves, each lane gets half."""
    items = [("long", 110)] * 30 + [("short", 14)] * 30
    found = dealt(items, 2, lambda item: item[1], lambda item: item[0])
    assert [sum(work for _, work in lane) for lane in found] == [1860, 1860]


def test_what_costs_more_to_begin_than_to_do_is_begun_once() -> None:
    """Six documents with eight questions each: no lane reads what the other has read."""
    items = [document for document in range(6) for _ in range(8)]
    found = dealt(items, 2, lambda item: 60, lambda item: item, lambda item: 1500)
    assert [sorted(set(lane)) for lane in found] == [[0, 2, 4], [1, 3, 5]]
    # Cheap ones are begun in both.
    found = dealt(items, 2, lambda item: 60, lambda item: item, lambda item: 40)
    assert [len(lane) for lane in found] == [24, 24]
    assert {len(set(lane)) for lane in found} == {6}


def model(**rope: Any) -> Any:
    config = SimpleNamespace(rope_parameters=rope)
    return SimpleNamespace(config=SimpleNamespace(get_text_config=lambda decoder: config))


@pytest.mark.parametrize(
    ("device", "rope", "rows", "threads", "lanes"),
    [
        ("cpu", {"rope_type": "default"}, 100, "2", 2),
        ("cpu", {"rope_type": "default"}, 100, "8,2", 2),
        ("cpu", {"rope_type": "default"}, 100, "1", 1),
        ("cpu", {"rope_type": "default"}, 9, "2", 1),
        ("cpu", {"rope_type": "dynamic"}, 100, "2", 1),
        ("cpu", {"full_attention": {"rope_type": "longrope"}}, 100, "2", 1),
        ("cuda:0", {"rope_type": "default"}, 100, "2", 1),
    ],
)
def test_how_many_lanes(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    rope: dict[str, Any],
    rows: int,
    threads: str,
    lanes: int,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert number(device, model(**rope), rows) == lanes


FREED = """
import ctypes, sys
from harness.engines import allocator
told = allocator.keep_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident()
block = libc.malloc(24 << 20)
ctypes.memset(block, 1, 24 << 20)
libc.free(block)
print(told, resident() - before > 20 << 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
@pytest.mark.parametrize(("pad", "expected"), [(None, "True True"), ("131072", "False False")])
def test_freed_memory_stays_unless_the_user_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, pad: str | None, expected: str
) -> None:
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    if pad:
        monkeypatch.setenv("MALLOC_TOP_PAD_", pad)
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
