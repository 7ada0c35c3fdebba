from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.cache import TABLES, Cache

WRITER = """
import sys
from pathlib import Path
from harness.store.cache import Cache
path, prefix, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Cache.open(path) as cache:
    i = 0
    while n < 0 or i < n:
        cache.put("responses", f"{prefix}{i}", {"text": "x" * 2000, "i": i})
        print(i, flush=True)
        i += 1
"""


def writer(path: Path, prefix: str, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), prefix, str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_put_is_there_when_opened_again(tmp_path: Path, table) -> None:
    path = tmp_path / "below" / "cache.sqlite"
    lone = {"text": "a \ud83d alone, \u2028, \0, Łódź 🎉", "tokens": [1, 2], "none": None}
    with Cache.open(path) as cache:
        assert cache.put(table, "a", lone) == lone
        cache.put(table, "b", {"value": 1})
        kept = cache.put(table, "b", {"value": 2})
    # A finished run has used the first response, and must be repeatable.
    assert kept == {"value": 1 if table == "responses" else 2}
    with Cache.open(path) as cache:
        found = cache.get_many(table, ["b", "a", "a", "absent"])
        assert found == {"a": lone, "b": kept}
        assert cache.get_many(table, []) == {}
        others = [other for other in TABLES if other != table]
        assert not any(cache.get_many(other, ["a", "b"]) for other in others)


def test_more_keys_than_one_statement_can_bind(tmp_path: Path) -> None:
    items = [(f"k{i}", {"i": i}) for i in range(5000)]
    with Cache.open(tmp_path / "c") as cache:
        cache.put_many("scores", items)
        assert cache.get_many("scores", [f"k{i}" for i in range(6000)]) == dict(items)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "c") as cache:
        with pytest.raises(ValueError, match="JSON compliant"):
            cache.put_many("scores", [("a", {"v": 1.0}), ("b", {"v": float("nan")})])
        assert cache.get_many("scores", ["a", "b"]) == {}
        with pytest.raises(ValueError, match="'table'"):
            cache.get_many("answers", ["a"])  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_everything_put_before_kill_9_is_there(tmp_path: Path) -> None:
    path = tmp_path / "c"
    process = writer(path, "k", -1)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 50:
            break
    process.send_signal(signal.SIGKILL)
    said = [*range(51), *(int(line) for line in process.stdout.read().split())]
    process.wait()
    with Cache.open(path) as cache:
        found = cache.get_many("responses", [f"k{i}" for i in said])
        assert {key: value["i"] for key, value in found.items()} == {f"k{i}": i for i in said}


def test_two_processes_write_and_a_third_reads(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with Cache.open(path) as cache:
        two = [writer(path, prefix, 100) for prefix in "ab"]
        for process in two:
            process.communicate()
            assert process.returncode == 0
        keys = [f"{prefix}{i}" for prefix in "ab" for i in range(100)]
        assert len(cache.get_many("responses", keys)) == 200


def test_two_processes_that_answer_one_request_keep_one_answer(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with Cache.open(path) as mine, Cache.open(path) as other:
        assert mine.get_many("responses", ["k"]) == other.get_many("responses", ["k"]) == {}
        assert mine.put("responses", "k", {"text": "mine"}) == {"text": "mine"}
        assert other.put("responses", "k", {"text": "other"}) == {"text": "mine"}
        assert mine.get_many("responses", ["k"]) == {"k": {"text": "mine"}}


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and never was one" * 100)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 12288] = b"\xff" * 12288
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "least"), [(garbage, 0), (truncated, 0), (overwritten_pages, 300)]
)
def test_a_damaged_file_is_set_aside_and_what_is_whole_goes_on(
    tmp_path: Path, damage, least: int
) -> None:
    path = tmp_path / "c"
    items = {f"k{i}": {"text": "x" * 500, "i": i} for i in range(500)}
    with Cache.open(path) as cache:
        cache.put_many("responses", items.items())
    damage(path)
    kept = path.read_bytes()
    with pytest.warns(UserWarning, match="was damaged"):
        cache = Cache.open(path)
    with cache:
        found = cache.get_many("responses", items)
        assert least <= len(found) < 500
        assert found == {key: items[key] for key in found}
        assert cache.put_many("responses", items.items()) == items
    (aside,) = tmp_path.glob("c.damaged-*")
    assert aside.read_bytes() == kept
    with Cache.open(path) as cache:
        assert cache.get_many("responses", items) == items


def test_an_empty_file_is_a_new_cache(tmp_path: Path) -> None:
    (tmp_path / "c").touch()
    with Cache.open(tmp_path / "c") as cache:
        assert cache.get_many("responses", ["a"]) == {}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        Cache.open(tmp_path / "file" / "c")
    with pytest.raises(UsageError, match="cannot be used"):
        Cache.open(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs file size limits")
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c"
    code = f"""
import resource
from pathlib import Path
from harness.errors import UsageError
from harness.store.cache import Cache
with Cache.open(Path({str(path)!r})) as cache:
    cache.put("responses", "first", {{"text": "kept"}})
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        cache.put("responses", "second", {{"text": "x" * 1_000_000}})
    except UsageError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Free some space" in done.stdout, done.stderr
    with Cache.open(path) as cache:
        assert cache.get_many("responses", ["first", "second"]) == {"first": {"text": "kept"}}
