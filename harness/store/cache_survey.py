"""What is in the cache, and whether it is whole; looking changes nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.store.cache_entries import decoded
from harness.store.cache_file import (
    DAY_S,
    SET_ASIDE,
    TABLES,
    Table,
    is_damage,
    lock,
    read_only,
    renewed,
    unusable,
)
from harness.store.cache_prune import Group, groups_by_day, in_use

_MOST_SAID = 20
_OLD = "NULL AS checksum"


@dataclass(frozen=True)
class Survey:
    """What the cache holds."""

    file_bytes: int
    """Of the file, with its log."""
    used_bytes: int
    groups: tuple[Group, ...]
    set_aside: int
    """Damaged entries that are kept for inspection."""

    def of(self, table: Table) -> tuple[int, int]:
        """Entries, and bytes of their keys and values."""
        mine = [group for group in self.groups if group.table == table]
        return sum(g.entries for g in mine), sum(g.bytes for g in mine)


@dataclass(frozen=True)
class Checked:
    """What a full check of the cache found."""

    entries: dict[str, int]
    unchecked: int
    """Written by an older version, without a checksum."""
    damaged: dict[Table, list[str]] = field(default_factory=dict)
    """Keys."""
    structure: tuple[str, ...] = ()
    """What SQLite says of the file itself."""

    @property
    def whole(self) -> bool:
        return not self.structure and not any(self.damaged.values())


def survey(path: Path) -> Survey:
    """Raises UsageError where the file cannot be read, or is damaged."""
    with _looking(path) as connection:
        aside = 0
        if _has(connection, SET_ASIDE):
            (aside,) = connection.execute(f"SELECT count(*) FROM {SET_ASIDE}").fetchone()
        log = path.with_name(f"{path.name}-wal")
        return Survey(
            path.stat().st_size + (log.stat().st_size if log.exists() else 0),
            in_use(connection),
            tuple(groups_by_day(connection)),
            int(aside),
        )


def check(path: Path) -> Checked:
    """Read everything: the structure of the file, and every entry against its checksum.

    Raises UsageError where the file cannot be read at all.
    """
    entries: dict[str, int] = dict.fromkeys(TABLES, 0)
    damaged: dict[Table, list[str]] = {}
    structure: list[str] = []
    unchecked = 0
    with _looking(path, damaged=structure) as connection:
        rows = connection.execute(f"PRAGMA integrity_check({_MOST_SAID})").fetchall()
        structure += [" ".join(row[0].split()) for row in rows if row[0] != "ok"]
        for table in TABLES:
            for key, value, checksum in _rows(connection, table):
                entries[table] += 1
                unchecked += checksum is None
                if decoded(key, value, checksum) is None:
                    damaged.setdefault(table, []).append(key)
    return Checked(entries, unchecked, damaged, tuple(structure))


def set_file_aside(path: Path, found: Checked) -> None:
    """What opening does with a file whose structure is damaged, at once; it warns as that does."""
    with lock(path):
        error = sqlite3.DatabaseError(found.structure[0] if found.structure else "damaged")
        renewed(path, error).close()


def folder_bytes(folder: Path) -> int:
    """Of all files below it, links not followed."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue  # gone meanwhile
    return total


def iso(day: int) -> str:
    """A day as ``2026-01-31``."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


@contextmanager
def _looking(path: Path, damaged: list[str] | None = None) -> Iterator[sqlite3.Connection]:
    """``damaged``: takes what SQLite says where the file cannot be read to its end."""
    try:
        with closing(read_only(path)) as connection:
            yield connection
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        fault = isinstance(error, UnicodeDecodeError) or (
            isinstance(error, sqlite3.DatabaseError) and is_damage(error)
        )
        if damaged is not None and fault:
            damaged.append(str(error))
            return
        raise unusable(path, error) from error


def _rows(connection: sqlite3.Connection, table: Table) -> Iterator[tuple[str, Any, Any]]:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    checksum = "checksum" if "checksum" in columns else _OLD
    yield from connection.execute(f"SELECT key, CAST(value AS BLOB), {checksum} FROM {table}")


def _has(connection: sqlite3.Connection, table: str) -> bool:
    asked = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(asked, (table,)).fetchone() is not None
