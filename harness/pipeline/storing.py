"""Answers enter the cache while the engine makes the next ones."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from harness.store.cache import Cache, Table

MOST = 1000
"""Entries of one transaction."""


class Storing:
    """Stores entries from a thread of its own; use it as a context manager.

    A transaction an answer would cost more than a fast engine's answer, and answers that wait for
    a full batch would be lost with the process. So whatever is there is stored at once, and what
    comes meanwhile goes into the next transaction: an answer is on disk some milliseconds after
    the engine gave it, however long the engine then works on the next, and ``kill -9`` loses no
    more than those, besides what the engine has in hand. An exception (Ctrl-C too) loses none:
    leaving the block stores all that was added. Nobody else may use the cache inside it.
    """

    def __init__(self, cache: Cache, table: Table = "responses") -> None:
        self.there: dict[str, dict[str, Any]] = {}
        """After the block: for each key that was added the entry that is in the cache. It is
        another process's where that answered first; then its answer counts for both."""
        self._cache, self._table = cache, table
        self._queue: SimpleQueue[tuple[str, Mapping[str, Any]] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._store, name="storing")

    def __enter__(self) -> Storing:
        self._thread.start()
        return self

    def add(self, key: str, value: Mapping[str, Any]) -> None:
        """Raises what storing an earlier one has raised (UsageError where the disk is full)."""
        if self._error is not None:
            raise self._error
        self._queue.put((key, value))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _store(self) -> None:
        more = True
        while more:
            some, more = self._waiting()
            if some and self._error is None:
                try:
                    self.there.update(self._cache.put_many(self._table, some))
                except BaseException as error:  # raised where the answers come from
                    self._error = error

    def _waiting(self) -> tuple[list[tuple[str, Mapping[str, Any]]], bool]:
        """What has gathered, at least one, and whether more may come."""
        some: list[tuple[str, Mapping[str, Any]]] = []
        while len(some) < MOST and (not some or not self._queue.empty()):
            one = self._queue.get()
            if one is None:
                return some, False
            some.append(one)
        return some, True
