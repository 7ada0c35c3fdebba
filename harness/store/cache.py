"""The cache of responses and scores: SQLite, each entry on disk as soon as it exists.

Write-ahead logging lets several processes read and write at a time, and keeps every committed
entry when the process is killed. ``synchronous=NORMAL`` means that a power cut may lose the
last entries (never damage the file); they are then made again. The file must lie on a local
disk: write-ahead logging does not work over network file systems.
"""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import filelock

from harness.errors import UsageError

Table = Literal["responses", "scores", "evidence"]
TABLES: tuple[Table, ...] = get_args(Table)
_BUSY_S = 60.0
# Below the least limit on bound variables of any SQLite in use (999).
_CHUNK = 900


class Cache:
    """Maps keys to JSON objects, in three tables. Use ``Cache.open``."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Cache:
        """Open the cache at ``path``, making it (and its folder) where there is none.

        A damaged file is set aside as ``<name>.damaged-<time>`` with a warning, and a new one
        is begun. Raises UsageError where it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that both find damage must not each set the other's file aside.
            with filelock.FileLock(f"{path}.lock"):
                try:
                    return cls(path, _connect(path))
                except sqlite3.DatabaseError as error:
                    if isinstance(error, sqlite3.OperationalError):
                        raise
                    _set_aside(path, error)
                    return cls(path, _connect(path))
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get_many(self, table: Table, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The entries of those ``keys`` that are there. Raises UsageError where it is damaged."""
        _known(table)
        wanted = list(dict.fromkeys(keys))
        found: dict[str, dict[str, Any]] = {}
        try:
            for start in range(0, len(wanted), _CHUNK):
                some = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(
                    f"SELECT key, value FROM {table} WHERE key IN ({marks})", some
                )
                found.update((key, json.loads(value)) for key, value in rows)
        except (sqlite3.Error, ValueError) as error:
            raise _unusable(self.path, error) from error
        return found

    def put(self, table: Table, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Store one entry, on disk when this returns, and return the one that is there now.

        That is another's where a response was there already: see ``put_many``.
        """
        self.put_many(table, [(key, value)])
        return self.get_many(table, [key])[key]

    def put_many(self, table: Table, items: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Store entries in one transaction: all of them or none.

        A response is never replaced: where two processes answer the same request the first
        answer stays, so that every run that used it can be repeated. Other entries replace those
        of their keys. Raises ValueError for values that are not JSON (NaN and infinities
        included), UsageError where the disk is full or cannot be written.
        """
        _known(table)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [(key, _encoded(value), now) for key, value in items]
        clash = "IGNORE" if table == "responses" else "REPLACE"
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                self._connection.executemany(
                    f"INSERT OR {clash} INTO {table} (key, value, created) VALUES (?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error


def _encoded(value: Mapping[str, Any]) -> str:
    # ASCII escapes carry lone surrogates, which SQLite's UTF-8 text cannot.
    return json.dumps(dict(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _known(table: str) -> None:
    if table not in TABLES:
        raise ValueError(f"The 'table' parameter must be one of {TABLES}, got {table!r}.")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        for table in TABLES:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} "
                "(key TEXT PRIMARY KEY, value TEXT NOT NULL, created TEXT NOT NULL) WITHOUT ROWID"
            )
        (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    path.rename(aside)
    # The log belongs to the damaged file; replayed into the new one it would damage that too.
    for suffix in ("-wal", "-shm"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(aside.with_name(aside.name + suffix))
    warnings.warn(
        f"The cache {path} was damaged ({error}). It is kept as {aside.name}, and a new one is "
        "begun: responses will be made again.",
        stacklevel=3,
    )


def _unusable(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "Free some space, choose another folder, or correct its permissions."
    if "locked" in reason:
        remedy = "Another process has held it for too long; wait for it or stop it."
    elif isinstance(error, ValueError) or not isinstance(
        error, (sqlite3.OperationalError, OSError)
    ):
        remedy = "It is damaged; delete it, and responses will be made again."
    return UsageError(f"The cache {path} cannot be used: {reason}. {remedy}")
