"""Results that other tools wrote, as rows that ``harness import`` reads: one file a format.

A module of this package that has ``NAME`` reads one format: ``TOOL`` names it to people,
``claims(path)`` says whether a file or folder looks like it, ``read(path)`` gives a ``Foreign``.
Nothing else has to be told: the package is looked through.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

from harness.errors import DataError, did_you_mean
from harness.store.foreign.shape import Foreign

__all__ = ["Foreign", "formats", "read"]


@cache
def formats() -> dict[str, ModuleType]:
    """Name of each format and its module."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return {m.NAME: m for m in modules if hasattr(m, "NAME")}


def read(path: Path, kind: str | None = None) -> Foreign | None:
    """What ``path`` holds, in the format ``kind`` (None: the one that claims it).

    None: no format claims it. Raises DataError for an unknown ``kind``, a version that is not
    known, and what contradicts the format.
    """
    known = formats()
    if not path.exists():
        raise DataError(f"There is no '{path}'.")
    if kind is not None:
        if kind not in known:
            raise DataError(f"--from: there is no format '{kind}'.{did_you_mean(kind, known)}")
        found: Foreign = known[kind].read(path)
        return found
    for module in known.values():
        if module.claims(path):
            claimed: Foreign = module.read(path)
            return claimed
    return None
