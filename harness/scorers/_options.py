"""Options of scorers are of the types that they are declared to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import fields
from typing import Any

from harness.errors import SuiteError

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}
_SAID = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}


def check(scorer: Any) -> None:
    """Raises SuiteError for an option such as ``stemmer="false"``, which Python takes for true."""
    for field in fields(scorer):
        allowed = _TYPES.get(str(field.type))
        value = getattr(scorer, field.name, None)
        if allowed is None or not field.init:
            continue
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            said = _SAID[str(field.type).partition(" ")[0]]
            raise SuiteError(
                f"{type(scorer).__name__}: {field.name} must be {said}, got {value!r}."
            )


def strings(owner: str, key: str, value: Any) -> tuple[str, ...]:
    """A list of strings, or an iterator over some, as a tuple. Raises SuiteError for anything
    else: a single string, and a set, whose order differs from one process to the next."""
    listed = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Set, Mapping))
    found = tuple(value) if listed else ()
    if not listed or not all(isinstance(one, str) for one in found):
        raise SuiteError(f"{owner}: {key} must be a list of strings, got {value!r:.80}.")
    return found
