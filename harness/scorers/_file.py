"""A scorer in a file of the user's: ``path/to/checks.py:brevity``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UsageError, did_you_mean


def names_a_file(spec: str) -> bool:
    return ".py:" in spec or spec.endswith(".py")


def load(spec: str) -> Any:
    """What the file defines by that name; relative paths start at the working folder.

    The file is run as a suite is: modules beside it can be imported. Raises UsageError: no such
    file, no such name (with the nearest), a file that cannot be run (with file and line).
    """
    # Late: it reads recipes and rules as well, which a scorer by name has no need of.
    from harness.suites import run_file

    path, _, name = spec.rpartition(":")
    file = Path(path or name)
    if not file.is_file():
        raise UsageError(f"There is no file '{file}' to take a scorer from.")
    found = run_file(file.absolute(), {}, what=f"scorer file {file}")
    known = [key for key, value in found.items() if _is_own(value, found["__name__"], key)]
    if not path:
        raise UsageError(f"Which scorer of {file}? Write '{file}:NAME'.{did_you_mean('', known)}")
    if name not in found:
        raise UsageError(f"{file} defines no '{name}'.{did_you_mean(name, known)}")
    return found[name]


def _is_own(value: Any, module: str, key: str) -> bool:
    if key.startswith("_") or isinstance(value, type):
        return False
    defined = callable(value) and getattr(value, "__module__", None) == module
    return defined or (hasattr(value, "metrics") and hasattr(value, "score"))
