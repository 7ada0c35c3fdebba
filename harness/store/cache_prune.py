"""The cache made smaller: the least recently used entries go first."""

from __future__ import annotations

import os
import re
import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UsageError
from harness.store.cache_file import SET_ASIDE, TABLES, Table, today

VARIABLE = "HARNESS_CACHE_MAX_SIZE"
DEFAULT_BYTES = 10_000_000_000
SPARED_DAYS = 1
"""The limit spares what was used today or so many days before: never what this run has made."""
_ROOM = 0.9
"""Share of the limit that is left, so that not every run has to make room."""
_PART = 2000
"""Entries that one transaction deletes: other processes write between two."""
_SPARSE = 1.2
"""Times the bytes for each entry, before the deleting, above which those left are moved together:
where what is old and what is new lie side by side, deleting alone empties no page."""
_PAGES = 1000
"""Pages that one transaction gives back."""
_UNITS = {"": 1, "B": 1, **{f"{u}B": 1000 ** (i + 1) for i, u in enumerate("KMGT")}}
_UNITS |= {f"{u}IB": 1024 ** (i + 1) for i, u in enumerate("KMGT")}


@dataclass(frozen=True)
class Pruned:
    """What went, or would go."""

    entries: dict[str, int]
    """Of each table."""
    bytes: int
    """Their keys and values, without what SQLite adds."""
    days: int | None
    """Since the last use of the one among them that was used last; None: nothing went."""

    @property
    def count(self) -> int:
        return sum(self.entries.values())


@dataclass(frozen=True)
class Group:
    """Entries of one table that were last used on one day."""

    day: int
    table: Table
    entries: int
    bytes: int


def parse_bytes(text: str, where: str) -> int:
    """``10GB``, ``500 MB``, ``1.5GiB``, or a number of bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise UsageError(f"{where} must be a size such as 10GB, 500MB or 1.5GiB, got {text!r}.")
    return int(float(found[1]) * unit)


def limit() -> int | None:
    """``$HARNESS_CACHE_MAX_SIZE`` in bytes, 10 GB where it is not set; None: ``none``."""
    chosen = os.environ.get(VARIABLE, "").strip()
    if not chosen:
        return DEFAULT_BYTES
    return None if chosen.lower() == "none" else parse_bytes(chosen, VARIABLE)


def in_use(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something; the file may have free ones besides."""
    count, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (count - free) * size


def bound(path: Path, connection: sqlite3.Connection, most: int | None) -> None:
    """Keep the cache under its limit."""
    if most is None or in_use(connection) <= most:
        return
    prune(connection, most=int(most * _ROOM), spared_from=today() - SPARED_DAYS)
    if in_use(connection) > most:
        warnings.warn(
            f"The cache {path} holds {in_use(connection):,} bytes, more than its limit of "
            f"{most:,}, and all of it was used since yesterday. It is kept; set {VARIABLE} to "
            "more, or prune it with 'harness cache prune'.",
            stacklevel=4,
        )


def prune(
    connection: sqlite3.Connection,
    *,
    most: int | None = None,
    unused_since: int | None = None,
    spared_from: int | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Delete the entries that were last used before the day ``unused_since``, and then the least
    recently used ones until at most ``most`` bytes are in use, but for those used on the day
    ``spared_from`` or later. The file shrinks.

    In short transactions, so that other processes go on reading and writing. What they have read
    they hold, and what they write now was used today, so that it goes last.
    """
    gone: list[Group] = []
    while chosen := _chosen(connection, most, unused_since, spared_from):
        gone += chosen
        if dry_run:
            break
        packed = _weight(connection)
        for group in chosen:
            _delete(connection, group)
        if _weight(connection) > _SPARSE * packed:
            _pack(connection)
        if most is None:
            break
    if not dry_run:
        shrink(connection)
    return Pruned(
        {t: sum(g.entries for g in gone if g.table == t) for t in TABLES},
        sum(g.bytes for g in gone),
        min((max(0, today() - g.day) for g in gone), default=None),
    )


def _chosen(
    connection: sqlite3.Connection,
    most: int | None,
    unused_since: int | None,
    spared_from: int | None,
) -> list[Group]:
    """What has to go next: whole days, and of the last one as much as is needed."""
    groups = groups_by_day(connection)
    used = in_use(connection)
    excess = 0 if most is None else used - most
    if excess > 0:
        # Pages are given back when they are empty, so that a little more has to go.
        excess += used // 50
    weight = _weight(connection, groups)
    chosen: list[Group] = []
    for group in groups:
        if unused_since is not None and group.day < unused_since:
            part = group
        elif excess > 0 and (spared_from is None or group.day < spared_from):
            part = _part(group, excess / weight)
        else:
            break
        chosen.append(part)
        excess -= int(part.bytes * weight)
    return chosen


def _weight(connection: sqlite3.Connection, groups: Sequence[Group] | None = None) -> float:
    """Bytes of pages for each byte of a key or value."""
    groups = groups_by_day(connection) if groups is None else groups
    return max(1.0, in_use(connection) / max(1, sum(group.bytes for group in groups)))


def _part(group: Group, wanted: float) -> Group:
    """As many of its entries as hold ``wanted`` bytes, and one more."""
    share = min(1.0, wanted / max(1, group.bytes))
    count = min(group.entries, int(group.entries * share) + 1)
    return replace(group, entries=count, bytes=round(group.bytes * count / group.entries))


def groups_by_day(connection: sqlite3.Connection) -> list[Group]:
    """All entries by the day of their last use, the earliest first."""
    found = [
        Group(day, table, entries, size)
        for table in TABLES
        for day, entries, size in connection.execute(
            f"SELECT {day_of(connection, table)} AS day, count(*), "
            f"sum(length(key) + length(value)) FROM {table} GROUP BY day"
        )
    ]
    return sorted(found, key=lambda group: (group.day, TABLES.index(group.table)))


def day_of(connection: sqlite3.Connection, table: str) -> str:
    """SQL for the day of the last use; of the making where that is not known."""
    made = "ifnull(CAST(julianday(created) - 2440587.5 AS INTEGER), 0)"
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if "used" not in columns:
        return made
    return f"CASE WHEN typeof(used) = 'integer' THEN used ELSE {made} END"


def _delete(connection: sqlite3.Connection, group: Group) -> None:
    day = f"{day_of(connection, group.table)} = {int(group.day)}"
    left, last = group.entries, -1
    while left > 0:
        rows = connection.execute(
            f"SELECT rowid FROM {group.table} WHERE rowid > ? AND {day} ORDER BY rowid LIMIT ?",
            (last, min(_PART, left)),
        ).fetchall()
        if not rows:
            return
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            # One that another process has used meanwhile stays.
            connection.executemany(f"DELETE FROM {group.table} WHERE rowid = ? AND {day}", rows)
        left, last = left - len(rows), rows[-1][0]


def _pack(connection: sqlite3.Connection) -> None:
    """Move all rows to the end, in their order: the pages that they leave, each of which holds
    few, become free. VACUUM would do so too, and keep other processes waiting for all of it; for
    the index of the keys, a small part, they do wait."""
    for table in TABLES:
        (last,) = connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()
        while rows := connection.execute(
            f"SELECT rowid FROM {table} WHERE rowid <= ? ORDER BY rowid LIMIT ?",
            (-1 if last is None else last, _PART),
        ).fetchall():
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(
                    f"UPDATE {table} SET rowid = (SELECT max(rowid) FROM {table}) + 1 "
                    "WHERE rowid = ?",
                    rows,
                )
        connection.execute(f"REINDEX {table}")


def shrink(connection: sqlite3.Connection) -> None:
    """Give the free pages back to the disk, as far as no other process reads just then."""
    before = _free(connection)
    while before:
        # It goes on as long as rows are fetched.
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        after = _free(connection)
        if after >= before:
            # A file that cannot shrink in steps: an old one whose VACUUM found no room.
            break
        before = after
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _free(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def drop_set_aside(path: Path, connection: sqlite3.Connection) -> tuple[int, list[str]]:
    """Delete the damaged entries and files that were set aside; how many, and which."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        entries = connection.execute(f"DELETE FROM {SET_ASIDE}").rowcount
    files = set_aside_files(path)
    for file in files:
        file.unlink(missing_ok=True)
    shrink(connection)
    return entries, [file.name for file in files]


def set_aside_files(path: Path) -> list[Path]:
    """Damaged files beside the cache, the logs that belong to them included."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))
