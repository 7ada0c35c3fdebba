"""How many requests may be under way: as many as the server takes, found by trying."""

from __future__ import annotations

import threading
import time

START = 4
"""Requests under way at first."""


class Pace:
    """Additive increase, multiplicative decrease (Chiu & Jain 1989), shared by all threads.

    The limit grows by one with each answer until the server is first overloaded (slow start, as
    in TCP), from then on by one with every ``limit`` answers; overload halves it. Requests that
    began before a cut tell nothing about the new limit, so one burst of refusals cuts once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(START, most))
        self._under_way = 0
        self._cuts = 0
        self._not_before = 0.0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    def enter(self, stop: threading.Event) -> int | None:
        """Wait for a place; the ticket is for ``leave``. None: ``stop`` was set meanwhile."""
        with self._changed:
            while not stop.is_set():
                pause = self._not_before - time.monotonic()
                if pause <= 0 and self._under_way < self.limit:
                    self._under_way += 1
                    return self._cuts
                # Woken by every change; the bound is for ``stop``, which wakes nobody.
                self._changed.wait(min(pause, 0.2) if pause > 0 else 0.2)
        return None

    def leave(self, ticket: int, *, overloaded: bool, pause_s: float = 0.0) -> None:
        """Give the place back. ``pause_s``: nobody may start before that, by the server's wish."""
        with self._changed:
            self._under_way -= 1
            if not overloaded:
                step = 1.0 if self._cuts == 0 else 1.0 / self._limit
                self._limit = min(float(self._most), self._limit + step)
            elif ticket == self._cuts:
                self._cuts += 1
                self._limit = max(1.0, self._limit / 2)
            self._not_before = max(self._not_before, time.monotonic() + pause_s)
            self._changed.notify_all()
