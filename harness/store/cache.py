"""The cache of responses and scores: SQLite, on disk when a call that stores returns.

Write-ahead logging lets several processes read and write at a time, and keeps every committed
entry when the process is killed. ``synchronous=NORMAL`` means that a power cut may lose the
last entries (never damage the file); they are then made again. The file must lie on a local
disk: write-ahead logging does not work over network file systems. docs/cache.md says the rest.
"""

from __future__ import annotations

import json
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.store import cache_file, cache_prune
from harness.store.cache_entries import COLUMNS, decoded, digest, encoded
from harness.store.cache_file import NAME, SET_ASIDE, TABLES, Table, today

__all__ = ["NAME", "TABLES", "Cache", "Table"]

T = TypeVar("T")
# Below the least limit on bound variables of any SQLite in use (999).
_CHUNK = 900


class Cache:
    """Maps keys to JSON objects, in three tables. Use ``Cache.open``.

    One thread at a time.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, most: int | None) -> None:
        self.path = path
        self.damaged = 0
        """Entries that were found damaged and set aside."""
        self._connection = connection
        self._most = most
        self._file = _identity(path)

    @classmethod
    def open(cls, path: Path) -> Cache:
        """Open the cache at ``path``, making it (and its folder) where there is none.

        A damaged file is set aside as ``<name>.damaged-<time>`` with a warning, and a new one
        is begun with what is whole in it. Above ``HARNESS_CACHE_MAX_SIZE`` the least recently
        used entries go. Raises UsageError where it cannot be written.
        """
        most = cache_prune.limit()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with cache_file.lock(path):
                connection = cache_file.open_file(path)
                opened = cls(path, connection, most)
        except (sqlite3.Error, OSError) as error:
            raise cache_file.unusable(path, error) from error
        opened._bound()
        return opened

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bound()
        self._connection.close()

    def get_many(self, table: Table, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The entries of those ``keys`` that are there, which count as used today.

        One that is damaged is set aside with a warning, and is not there. Raises UsageError where
        the cache cannot be read.
        """
        _known(table)
        wanted = list(dict.fromkeys(keys))
        found: dict[str, dict[str, Any]] = {}
        damaged: list[str] = []
        stale: list[str] = []
        now = today()
        for some in _chunks(wanted):
            for key, value, used in self._safely(partial(_read, table=table, keys=some)):
                if value is None:
                    damaged.append(key)
                    continue
                found[key] = value
                if not isinstance(used, int) or used < now:
                    stale.append(key)
        if damaged:
            self._safely(lambda c: self._set_aside(c, table, damaged))
        if stale:
            self._touch(table, stale, now)
        return found

    def put(self, table: Table, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Store one entry and return the one that is there now: see ``put_many``."""
        return self.put_many(table, [(key, value)])[key]

    def put_many(
        self, table: Table, items: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> dict[str, dict[str, Any]]:
        """Store entries in one transaction, all of them or none, and return those that are there
        now. They are on disk when this returns.

        A response is never replaced: where two processes answer the same request the first
        answer stays, so that every run that used it can be repeated. Other entries replace those
        of their keys. Raises ValueError for values that are not JSON (NaN and infinities
        included), UsageError where the disk is full or cannot be written.
        """
        _known(table)
        first_stays = table == "responses"
        rows: dict[str, str] = {}
        for key, value in items:
            text = encoded(value)
            rows[key] = rows.get(key, text) if first_stays else text
        there: dict[str, dict[str, Any]] = {key: json.loads(text) for key, text in rows.items()}
        if rows:
            others = self._safely(lambda c: self._insert(c, table, rows, first_stays))
            there.update(others)
        return there

    def prune(
        self,
        *,
        most: int | None = None,
        unused_since: int | None = None,
        dry_run: bool = False,
    ) -> cache_prune.Pruned:
        """See ``cache_prune.prune``. Raises UsageError where the cache cannot be written."""
        return self._safely(
            lambda c: cache_prune.prune(c, most=most, unused_since=unused_since, dry_run=dry_run)
        )

    def drop_set_aside(self) -> tuple[int, list[str]]:
        """Delete the damaged entries and files that were set aside; how many, and which."""
        return self._safely(lambda c: cache_prune.drop_set_aside(self.path, c))

    def _insert(
        self, connection: sqlite3.Connection, table: Table, rows: Mapping[str, str], keep: bool
    ) -> dict[str, dict[str, Any]]:
        """Those that were there before, where they are kept."""
        with _transaction(connection):
            made = _write(connection, table, rows, "IGNORE" if keep else "REPLACE")
            if not keep or made == len(rows):
                return {}
            others = {
                key: value
                for some in _chunks(list(rows))
                for key, value, _ in _read(connection, table, some)
            }
            damaged = [key for key in rows if others.get(key) is None]
            if damaged:
                self._aside(connection, table, damaged)
                _write(connection, table, {key: rows[key] for key in damaged}, "REPLACE")
        return {key: value for key, value in others.items() if value is not None}

    def _set_aside(self, connection: sqlite3.Connection, table: Table, keys: list[str]) -> None:
        with _transaction(connection):
            # Another process may have set one aside meanwhile, and made it again.
            still = [
                key
                for some in _chunks(keys)
                for key, value, _ in _read(connection, table, some)
                if value is None
            ]
            self._aside(connection, table, still)

    def _aside(self, connection: sqlite3.Connection, table: Table, keys: list[str]) -> None:
        for key in keys:
            connection.execute(
                f"INSERT INTO {SET_ASIDE} (of, found, {COLUMNS}) SELECT ?, ?, key, "
                f"CAST(value AS BLOB), created, checksum, used FROM {table} WHERE key = ?",
                (table, _now(), key),
            )
            connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
        if keys:
            self.damaged += len(keys)
            warnings.warn(
                f"Damaged entries in the table {table} of the cache {self.path}: {len(keys)}. They "
                "are set aside and made again. 'harness cache verify' looks at all others.",
                stacklevel=2,
            )

    def _touch(self, table: Table, keys: list[str], day: int) -> None:
        def update(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                for some in _chunks(keys):
                    marks = ",".join("?" * len(some))
                    connection.execute(
                        f"UPDATE {table} SET used = ? WHERE key IN ({marks})", [day, *some]
                    )

        # Only when it was used is lost: a run that needs to store nothing needs no space either.
        with suppress(sqlite3.OperationalError):
            self._safely(update, explain=False)

    def _safely(self, work: Callable[[sqlite3.Connection], T], *, explain: bool = True) -> T:
        """``work`` on the connection; once more on a new file where this one is damaged."""
        try:
            try:
                return work(self._connection)
            except sqlite3.DatabaseError as error:
                if not cache_file.is_damage(error):
                    raise
                self._renew(error)
                return work(self._connection)
        except (sqlite3.Error, OSError) as error:
            if not explain and isinstance(error, sqlite3.OperationalError):
                raise
            raise cache_file.unusable(self.path, error) from error

    def _renew(self, error: sqlite3.Error) -> None:
        self._connection.close()
        with cache_file.lock(self.path):
            # Another process that uses it may have set it aside already.
            if _identity(self.path) == self._file:
                self._connection = cache_file.renewed(self.path, error)
            else:
                self._connection = cache_file.open_file(self.path)
            self._file = _identity(self.path)

    def _bound(self) -> None:
        # A file that is too large, or too damaged to be made smaller, is no reason to stop: what
        # is read and written says so itself.
        with suppress(sqlite3.Error):
            cache_prune.bound(self.path, self._connection, self._most)


class _transaction:
    """BEGIN IMMEDIATE … COMMIT: waits for other writers at its beginning, never in the middle."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *raised: Any) -> None:
        self._connection.__exit__(*raised)


def _write(
    connection: sqlite3.Connection, table: Table, rows: Mapping[str, str], clash: str
) -> int:
    """How many were inserted."""
    now, day = _now(), today()
    made = connection.executemany(
        f"INSERT OR {clash} INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        [(key, text, now, digest(key, text.encode()), day) for key, text in rows.items()],
    )
    return made.rowcount


def _read(
    connection: sqlite3.Connection, table: Table, keys: Sequence[str]
) -> list[tuple[str, dict[str, Any] | None, int | None]]:
    """Key, value (None: damaged) and day of the last use, of those that are there."""
    marks = ",".join("?" * len(keys))
    rows = connection.execute(
        # As bytes: a damaged text may be no UTF-8.
        f"SELECT key, CAST(value AS BLOB), checksum, used FROM {table} WHERE key IN ({marks})",
        keys,
    )
    asked = set(keys)
    return [
        (key, decoded(key, value, checksum), used)
        for key, value, checksum, used in rows
        if key in asked
    ]


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def _known(table: str) -> None:
    if table not in TABLES:
        raise ValueError(f"The 'table' parameter must be one of {TABLES}, got {table!r}.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
