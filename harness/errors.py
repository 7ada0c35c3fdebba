"""Every error the harness raises on purpose.

::

    HarnessError                 exit 70   a defect of ours, but for the subclasses
    +-- UsageError               exit 2    the caller wrote it wrong: file, key, name
    |   +-- DataError                      a data file: names file and line
    |   +-- SourceError                    a reference: missing, wrong hash, no network
    |   +-- SuiteError                     a suite or recipe file
    |   +-- RulesError                     a rules file
    |   +-- RunError                       a folder that is no run, or one of another schema
    |   +-- ServerError                    a server: not there, key refused, model unknown
    |   +-- MissingExtra                   an optional dependency; prints the pip command
    +-- InvalidRun               exit 4    what a well-formed run cannot support
        +-- PreflightError                 training or adapter checks that failed

A message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    exit_code = 70


class UsageError(HarnessError):
    exit_code = 2


class DataError(UsageError):
    pass


class SourceError(UsageError):
    pass


class SuiteError(UsageError):
    pass


class RulesError(UsageError):
    pass


class RunError(UsageError):
    pass


class ServerError(UsageError):
    pass


class MissingExtra(UsageError):
    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed. "
            f"Install it with: python -m pip install 'shipworthy[{extra}]'"
        )


class InvalidRun(HarnessError):
    exit_code = 4


class PreflightError(InvalidRun):
    pass


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, and all of them where they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    if names and len(names) <= 12:
        hint += f" Known: {', '.join(names)}."
    return hint
