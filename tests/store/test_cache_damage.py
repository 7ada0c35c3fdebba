"""A damaged cache gives no wrong answer: what is damaged is told, kept aside and made again."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.cache import Cache

ITEMS = {
    hashlib.sha256(str(i).encode()).hexdigest(): {"text": f"answer {i} " * 40, "i": i}
    for i in range(300)
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Cache.open(tmp_path / "c") as cache:
        cache.put_many("responses", ITEMS.items())
    return tmp_path / "c"


def sql(path: Path, *statements: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return [row for s in statements for row in connection.execute(s).fetchall()]


def test_a_flipped_byte_of_an_answer_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(b"answer 7 ")
    data[place : place + 9] = b"answer 8 "
    path.write_bytes(data)
    key = next(k for k, v in ITEMS.items() if v["i"] == 7)
    with Cache.open(path) as cache:
        with pytest.warns(UserWarning, match="Damaged entries in the table responses .* 1\\."):
            found = cache.get_many("responses", ITEMS)
        assert found == {k: v for k, v in ITEMS.items() if k != key}
        assert cache.damaged == 1
        assert cache.put("responses", key, ITEMS[key]) == ITEMS[key]
    ((of, kept, value),) = sql(path, "SELECT of, key, value FROM set_aside")
    assert (of, kept) == ("responses", key)
    assert value.startswith(b'{"text":"answer 8 answer 7 '), "as it was found"
    with Cache.open(path) as cache:
        assert cache.get_many("responses", ITEMS) == ITEMS


def test_an_answer_under_another_key_is_found(path: Path) -> None:
    """Whole in itself, and still another question's."""
    one, other = list(ITEMS)[:2]
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = "SELECT value, checksum FROM responses WHERE key = ?"
        theirs = connection.execute(rows, (other,)).fetchone()
        connection.execute(
            "UPDATE responses SET value = ?, checksum = ? WHERE key = ?", (*theirs, one)
        )
    with Cache.open(path) as cache, pytest.warns(UserWarning, match="Damaged entries"):
        assert one not in cache.get_many("responses", ITEMS)


def test_a_damaged_answer_does_not_win_over_a_new_one(path: Path) -> None:
    """A response that is there stays, but for one that is damaged."""
    key = next(iter(ITEMS))
    sql(path, f"UPDATE responses SET value = '{{' WHERE key = '{key}'")
    with Cache.open(path) as cache:
        with pytest.warns(UserWarning, match="Damaged entries"):
            assert cache.put("responses", key, {"text": "new"}) == {"text": "new"}
        assert cache.get_many("responses", [key]) == {key: {"text": "new"}}


def test_any_flipped_bit_gives_the_right_answer_or_none(tmp_path: Path, path: Path) -> None:
    """Wherever it is: in an answer, a key, the index, the schema, the header."""
    whole, rng, seen = path.read_bytes(), random.Random(0), set()
    for _ in range(120):
        for file in tmp_path.iterdir():
            file.unlink()
        data = bytearray(whole)
        # Every third one in the header and the schema.
        at = rng.randrange(len(data) if rng.random() < 0.66 else 4096)
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with warnings.catch_warnings(record=True) as caught, Cache.open(path) as cache:
            warnings.simplefilter("always")
            found = cache.get_many("responses", ITEMS)
            assert found == {key: ITEMS[key] for key in found}
            assert cache.put_many("responses", ITEMS.items()) == ITEMS
            assert cache.get_many("responses", ITEMS) == ITEMS
        seen |= {str(w.message).split()[0] for w in caught}
    assert {"Damaged", "The"} & seen


def test_a_file_that_is_damaged_while_it_is_used(path: Path) -> None:
    """By then two processes have it open; one sets it aside, and the other follows."""
    with Cache.open(path) as one, Cache.open(path) as other:
        assert len(one.get_many("responses", ITEMS)) == len(ITEMS)
        sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        middle = path.stat().st_size // 2 // 4096 * 4096
        with path.open("r+b") as file:
            file.seek(middle)
            file.write(b"\xff" * 12288)
        # What another writes has the two read the file again, which is in their memory.
        sql(path, "INSERT INTO evidence (key, value, created) VALUES ('e', '{}', '2026-01-02')")
        with pytest.warns(UserWarning, match="was damaged"):
            found = one.get_many("responses", ITEMS)
        assert found == {key: ITEMS[key] for key in found}
        assert 100 < len(found) < 300
        one.put_many("responses", ITEMS.items())
        assert other.get_many("responses", ITEMS) == ITEMS
    assert len(list(path.parent.glob("c.damaged-*[0-9]"))) == 1


def old_cache(path: Path, values: dict[str, str]) -> None:
    """As the first version of the harness wrote it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for table in ("responses", "scores", "evidence"):
            connection.execute(
                f"CREATE TABLE {table} (key TEXT PRIMARY KEY, value TEXT NOT NULL, "
                "created TEXT NOT NULL) WITHOUT ROWID"
            )
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, '2026-01-02T03:04:05+00:00')", values.items()
            )


def test_a_cache_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "c"
    old_cache(path, {key: json.dumps(value) for key, value in ITEMS.items()})
    with Cache.open(path) as cache:
        assert cache.get_many("responses", ITEMS) == ITEMS
    assert sql(path, "PRAGMA user_version", "PRAGMA auto_vacuum") == [(1,), (2,)]
    unused = "SELECT count(*), min(used) FROM scores WHERE checksum IS NOT NULL"
    assert sql(path, unused) == [(300, 20455)], "2026-01-02"
    sql(path, "UPDATE responses SET value = replace(value, 'answer 7 ', 'answer 8 ')")
    with Cache.open(path) as cache, pytest.warns(UserWarning, match="responses .* 1\\."):
        assert len(cache.get_many("responses", ITEMS)) == 299


def test_what_an_older_version_adds_is_taken_without_a_checksum(path: Path) -> None:
    sql(
        path,
        "INSERT INTO responses (key, value, created) VALUES ('k', '{\"i\":1}', '2026-01-02')",
        "INSERT INTO responses (key, value, created) VALUES ('l', '[]', '2026-01-02')",
    )
    with Cache.open(path) as cache, pytest.warns(UserWarning, match="Damaged entries"):
        assert cache.get_many("responses", ["k", "l"]) == {"k": {"i": 1}}


def test_a_cache_of_a_newer_format_is_left_alone(path: Path) -> None:
    sql(path, "PRAGMA user_version=2")
    with pytest.raises(UsageError, match="newer version of the harness"):
        Cache.open(path)
    assert {file.name for file in path.parent.glob("c*")} == {"c", "c.lock"}
