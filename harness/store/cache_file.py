"""The file of the cache: opened, brought up to date, and set aside where it is damaged."""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import filelock

from harness.errors import UsageError
from harness.store.cache_entries import COLUMNS, digest, whole

NAME = "responses.sqlite"
"""Of the file in the cache folder."""
Table = Literal["responses", "scores", "evidence"]
TABLES: tuple[Table, ...] = get_args(Table)
VERSION = 1
"""``user_version`` of the file. 0 had neither checksums nor the day of the last use."""
SET_ASIDE = "set_aside"
"""The table of single entries that were damaged."""
DAY_S = 86_400
_BUSY_S = 60.0
_CHECKED_BYTES = 256_000_000
"""Above this the structure is not read through at open (1.3 seconds a GB where the file is in
memory, far more from a disk): what is read is checked entry by entry all the same."""


def today() -> int:
    """Days since 1970, in UTC."""
    return int(time.time() // DAY_S)


def lock(path: Path) -> filelock.BaseFileLock:
    """Held while a file is opened or set aside: two processes that both find damage must not
    each set the other's file aside."""
    return filelock.FileLock(f"{path}.lock")


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the cache at ``path``, made where there is none; call it under ``lock``.

    A damaged file is set aside, and a new one takes over what is whole in it.
    """
    try:
        return _connect(path)
    except UnicodeDecodeError:
        # SQLite quotes a damaged name in its message, and Python cannot read that.
        return renewed(path, _damage("its schema cannot be read"))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return renewed(path, error)


def renewed(path: Path, error: sqlite3.Error) -> sqlite3.Connection:
    """Set the damaged file at ``path`` aside and begin a new one with its whole entries; call it
    under ``lock``."""
    aside = _set_aside(path)
    connection = _connect(path)
    kept = _taken_over(aside, connection)
    warnings.warn(
        f"The cache {path} was damaged ({error}). It is kept as {aside.name}; whole entries taken "
        f"over from it: {kept}. All others will be made again.",
        stacklevel=4,
    )
    return connection


def read_only(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """For those who only look: changes nothing, also where the file is damaged or old.

    ``alone``: no other process has it open, so that no log is made beside it.
    """
    still = alone and not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if still else 'mode=ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
    connection.text_factory = _text
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, and not the disk, its permissions or another process."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def unusable(path: Path, error: Exception) -> UsageError:
    """What to raise where the cache cannot be read or written."""
    reason = getattr(error, "strerror", None) or str(error)
    remedy = (
        "Free some space, correct the permissions, or set HARNESS_CACHE to another folder. What "
        "is in it is kept, and the same command continues."
    )
    if "locked" in reason:
        remedy = "Another process has held it for too long; wait for it or stop it."
    elif isinstance(error, sqlite3.DatabaseError) and is_damage(error):
        remedy = "It is damaged: 'harness cache verify --set-aside' begins a new one."
    return UsageError(f"The cache {path} cannot be used: {reason}. {remedy}")


def _connect(path: Path) -> sqlite3.Connection:
    # Answers are stored by a thread of their own; no two use the connection at a time.
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    try:
        if not path.stat().st_size:
            # Only heeded before the first page is written; later it would be a write.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        _bring_up_to_date(path, connection)
        if path.stat().st_size <= _CHECKED_BYTES:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise _damage(" ".join(state.split()))
    except BaseException:
        connection.close()
        raise
    return connection


def _text(data: bytes) -> str:
    # A damaged key or message may be no UTF-8; such a key is simply not one that was asked for.
    return data.decode("utf-8", "replace")


def _damage(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorname = "SQLITE_CORRUPT"
    return error


def _bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise UsageError(
            f"The cache {path} was written by a newer version of the harness (format {version}, "
            f"this one knows {VERSION}). Upgrade, or set HARNESS_CACHE to another folder."
        )
    connection.create_function("digest", 2, digest, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        old = [t for t in TABLES if _exists(connection, t)]
        for table in TABLES:
            _make(connection, table, from_old=table in old)
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {SET_ASIDE} (of TEXT NOT NULL, found TEXT NOT NULL, "
            "key TEXT NOT NULL, value BLOB, created TEXT, checksum BLOB, used INTEGER)"
        )
        connection.execute(f"PRAGMA user_version={VERSION}")
    if old:
        # So that the file can shrink. It needs room for a copy, and is not worth a failure.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("VACUUM")


def _make(connection: sqlite3.Connection, table: str, *, from_old: bool) -> None:
    """A table, with the entries of one of version 0 where there is one.

    With a row id: entries are then appended in the order of their making, where a table sorted
    by its random keys has every batch rewrite as many pages as it has entries.
    """
    if from_old:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    connection.execute(
        f"CREATE TABLE {table} (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, "
        "created TEXT NOT NULL, checksum BLOB, used INTEGER)"
    )
    if from_old:
        connection.execute(
            f"INSERT INTO {table} (key, value, created, checksum, used) SELECT key, value, "
            "created, digest(key, CAST(value AS BLOB)), "
            f"CAST(julianday(created) - 2440587.5 AS INTEGER) FROM old_{table} ORDER BY created"
        )
        connection.execute(f"DROP TABLE old_{table}")


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    asked = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(asked, (table,)).fetchone() is not None


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    path.rename(aside)
    # The log belongs to the damaged file; replayed into the new one it would damage that too. Its
    # index is made again by whoever reads it.
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        log.rename(aside.with_name(f"{aside.name}-wal"))
    for rest in (log, path.with_name(f"{path.name}-shm")):
        rest.unlink(missing_ok=True)
    return aside


def _taken_over(aside: Path, connection: sqlite3.Connection) -> int:
    """How many entries of a damaged file are whole and were put into the new one."""
    before = connection.total_changes
    try:
        with closing(read_only(aside, alone=True)) as old:
            for table in TABLES:
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    connection.executemany(
                        f"INSERT OR IGNORE INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?)",
                        _whole_rows(old, table),
                    )
    except sqlite3.OperationalError:
        # No room for them: they are made again, or the first put says that the disk is full.
        pass
    return connection.total_changes - before


def _whole_rows(old: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """From both ends as far as can be read; those without a checksum cannot be trusted."""
    for direction in ("ASC", "DESC"):
        try:
            for key, value, *rest in old.execute(
                f"SELECT key, CAST(value AS BLOB), created, checksum, used FROM {table} "
                f"NOT INDEXED ORDER BY rowid {direction}"
            ):
                if isinstance(key, str) and rest[1] is not None and whole(key, value, rest[1]):
                    yield key, value.decode("ascii"), *rest
            return
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue
