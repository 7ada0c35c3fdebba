"""Answers are on disk while the engine works on the next ones."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scripted import Scripted, at_work, suite

from harness.errors import UsageError
from harness.pipeline.measuring import whole
from harness.pipeline.session import Settings
from harness.pipeline.storing import Storing
from harness.store.cache import Cache


def count(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])


def test_a_burst_is_stored_before_the_engine_gives_the_next(tmp_path: Path) -> None:
    class Waiting(Scripted):
        """Works on a batch until what it gave before is on disk."""

        def complete(self, requests) -> Iterator:
            for start in range(0, len(requests), 16):
                for _ in range(6000):
                    if count(tmp_path / "responses.sqlite") == start:
                        break
                    time.sleep(0.01)
                else:
                    raise AssertionError(f"{start} were given, and they are not all on disk")
                yield from super().complete(requests[start : start + 16])

    made = suite({"zero": "5"}, None, n=50)
    with at_work(made, Settings(), Waiting(tmp_path), tmp_path) as work:
        assert whole(work, made.variants, []).outputs.num_rows == 50


def add(cache: Cache, n: int, then: type[BaseException]) -> None:
    with Storing(cache) as storing:
        for i in range(n):
            storing.add(f"k{i}", {"i": i})
        raise then


def test_an_exception_loses_nothing_that_was_added(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "c") as cache:
        with pytest.raises(KeyboardInterrupt):
            add(cache, 5000, then=KeyboardInterrupt)
        assert len(cache.get_many("responses", [f"k{i}" for i in range(5000)])) == 5000


def test_the_first_answer_counts_for_both(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "c") as other, Cache.open(tmp_path / "c") as mine:
        other.put("responses", "a", {"text": "other"})
        with Storing(mine) as storing:
            storing.add("a", {"text": "mine"})
            storing.add("b", {"text": "mine"})
        assert storing.there == {"a": {"text": "other"}, "b": {"text": "mine"}}


def test_what_cannot_be_stored_stops_the_run(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "c")
    cache._connection.execute("PRAGMA query_only=ON")
    with pytest.raises(UsageError, match="cannot be used"):
        add(cache, 100_000_000, then=KeyboardInterrupt)
    cache.close()
