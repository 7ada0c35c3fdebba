"""How the pipeline tells what it is doing; the command line shows it, tests ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    def stage(self, title: str, total: int | None = None) -> None:
        """A new stage begins, of ``total`` units (None: not known)."""
        ...

    def advance(self, units: int = 1, note: str = "") -> None:
        """So many units of the stage are done."""
        ...

    def say(self, text: str) -> None:
        """Something worth reading that is not a stage."""
        ...


class Silent:
    """A Progress that shows nothing."""

    def stage(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, units: int = 1, note: str = "") -> None:
        pass

    def say(self, text: str) -> None:
        pass
