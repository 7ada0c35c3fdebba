"""The cache made smaller: what was used last stays."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.cache import Cache
from harness.store.cache_file import today
from harness.store.cache_prune import VARIABLE, limit, parse_bytes
from harness.store.cache_survey import check, survey

DAYS = (0, 1, 5, 30)
"""Ago; 500 answers each."""


def key(day: int, i: int) -> str:
    return f"{i:04d}-{day}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """About a million bytes, their ages mixed."""
    with Cache.open(tmp_path / "c") as cache:
        for i in range(500):
            cache.put_many("responses", [(key(d, i), {"text": "x" * 400}) for d in DAYS])
        cache.put("evidence", "e", {"applied": True})
    used(tmp_path / "c", {day: f"key LIKE '%-{day}'" for day in DAYS})
    return tmp_path / "c"


def used(path: Path, days: dict[int, str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for day, where in days.items():
            connection.execute(f"UPDATE responses SET used = ? WHERE {where}", (today() - day,))


def left(path: Path) -> dict[int, int]:
    """Days ago to answers."""
    return {today() - g.day: g.entries for g in survey(path).groups if g.table == "responses"}


def test_what_was_used_last_stays_and_the_file_shrinks(path: Path) -> None:
    before = path.stat().st_size
    with Cache.open(path) as cache:
        found = cache.prune(most=before // 3, dry_run=True)
        assert 1200 < found.count < 1500
        assert left(path) == dict.fromkeys(reversed(DAYS), 500)
        found = cache.prune(most=before // 3)
    assert path.stat().st_size <= before // 3
    kept = left(path)
    assert kept[0] == 500 or set(kept) == {0}, "whole days go before a later one is touched"
    assert 450 < sum(kept.values()) < 800, "and not much more than has to go"
    assert found.count == 2000 - sum(kept.values())
    assert check(path).whole


def test_by_age(path: Path) -> None:
    with Cache.open(path) as cache:
        found = cache.prune(unused_since=today() - 5)
    assert (found.count, found.days) == (500, 30)
    assert left(path) == {5: 500, 1: 500, 0: 500}
    with Cache.open(path) as cache:
        assert cache.prune(unused_since=today() - 5).count == 0
        assert cache.prune(unused_since=today() - 1, most=path.stat().st_size).count == 500


def test_everything(path: Path) -> None:
    with Cache.open(path) as cache:
        assert cache.prune(most=0).count == 2001
        assert cache.get_many("responses", [key(0, 0)]) == {}
        cache.put("responses", "new", {"text": "new"})
    assert path.stat().st_size < 100_000


def test_to_read_is_to_use(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.get_many("responses", [key(30, i) for i in range(20)])
        cache.prune(unused_since=today() - 1)
        assert len(cache.get_many("responses", [key(30, i) for i in range(500)])) == 20


@pytest.mark.parametrize(
    ("size", "kept"), [("600KB", {1, 0}), ("none", set(DAYS)), ("", set(DAYS))]
)
def test_the_limit_is_held_at_open(
    path: Path, monkeypatch: pytest.MonkeyPatch, size: str, kept: set[int]
) -> None:
    monkeypatch.setenv(VARIABLE, size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Cache.open(path).close()
    assert set(left(path)) == kept
    assert left(path)[0] == 500
    if size == "600KB":
        assert survey(path).used_bytes <= 600_000


def test_the_limit_is_held_at_close_and_never_takes_what_this_run_has_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(path.stat().st_size + 10_000))
    mine = {f"new{i}": {"text": "y" * 400} for i in range(3000)}
    cache = Cache.open(path)
    cache.put_many("responses", mine.items())
    with pytest.warns(UserWarning, match="all of it was used since yesterday"):
        cache.close()
    assert set(left(path)) == {1, 0}
    with pytest.warns(UserWarning, match=VARIABLE), Cache.open(path) as cache:
        assert cache.get_many("responses", mine) == mine


def test_another_process_writes_while_the_cache_is_pruned(path: Path) -> None:
    code = """
import sys
from pathlib import Path
from harness.store.cache import Cache
with Cache.open(Path(sys.argv[1])) as cache:
    for i in range(300):
        one = {"text": f"{i} " * 100}
        assert cache.put("responses", f"theirs{i}", one) == one
        print(i, flush=True)
    assert len(cache.get_many("responses", [f"theirs{i}" for i in range(300)])) == 300
"""
    command = [sys.executable, "-c", code, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    with Cache.open(path) as cache:
        for days in (20, 3, 1):
            cache.prune(unused_since=today() - days + 1)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert left(path) == {0: 800}
    assert check(path).whole


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10GB", 10_000_000_000),
        ("1.5 gib", 1_610_612_736),
        ("500 MB", 500_000_000),
        ("7", 7),
        ("0", 0),
        ("3kb", 3000),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_bytes(text, "it") == count


@pytest.mark.parametrize("text", ["", "ten", "-1GB", "5Q", "1e9", "1,5GB", "nan"])
def test_what_is_no_size_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    with pytest.raises(UsageError, match="--max-size must be a size such as 10GB"):
        parse_bytes(text, "--max-size")
    monkeypatch.setenv(VARIABLE, text)
    if text:
        with pytest.raises(UsageError, match=VARIABLE):
            Cache.open(tmp_path / "c")
    else:
        assert limit() == 10_000_000_000
