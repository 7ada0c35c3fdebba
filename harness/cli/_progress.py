"""Progress on the terminal: a bar with an estimate where there is one, plain lines in a log."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LOG_EVERY_S = 30.0
KEPT = 8
"""Finished bars that stay in sight; a run in batches has hundreds."""


class Terminal:
    """A ``pipeline.Progress`` on standard error; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live = self._console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._finished: list[TaskID] = []
        self._title, self._total, self._done = "", 0, 0
        self._started = self._logged = time.monotonic()

    def __enter__(self) -> Terminal:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()
        self._bar.stop()

    def stage(self, title: str, total: int | None = None) -> None:
        self._finish()
        self._title, self._total, self._done = title, total or 0, 0
        self._started = self._logged = time.monotonic()
        if self._live:
            self._task = self._bar.add_task(title, total=total, note="")
        else:
            self._console.print(title, highlight=False)

    def advance(self, units: int = 1, note: str = "") -> None:
        self._done += units
        if self._live and self._task is not None:
            self._bar.update(self._task, advance=units, note=note)
            return
        now = time.monotonic()
        if now - self._logged >= LOG_EVERY_S:
            self._logged = now
            left = (now - self._started) * (self._total - self._done) / max(self._done, 1)
            self._console.print(
                f"  {self._done}/{self._total}, about {left:.0f} s left {note}", highlight=False
            )

    def say(self, text: str) -> None:
        self._bar.console.print(text, highlight=False)

    def _finish(self) -> None:
        if self._live and self._task is not None:
            self._bar.update(self._task, completed=self._done or None, total=self._done or 1)
            self._bar.stop_task(self._task)
            self._finished.append(self._task)
            while len(self._finished) > KEPT:
                self._bar.remove_task(self._finished.pop(0))
            self._task = None
