"""JSON as RFC 8259 has it: Python's reader also takes NaN and Infinity, which are not JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_LEVELS = 100
"""Of brackets: a limit of our own, as Python's differs by version and by who calls."""
MOST_DIGITS = 4300
"""Of a whole number where it becomes an int; Python's own limit."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class Refused(ValueError):
    """Not read, for a reason that quotes nothing of the text."""


def parse(
    text: str, *, unique: bool = False, exact: bool = False, exact_fractions: bool = False
) -> Any:
    """The value that the whole of ``text`` (ends stripped) is.

    ``unique``: an object with a key twice is refused, as two readers may take it for two things
    (RFC 8259, 4; RFC 7493, 2.3); otherwise the last counts. ``exact``: every number is a Decimal
    of just the digits that were written. ``exact_fractions``: so is one with a fraction or an
    exponent, and the others are int. Raises ValueError if it is none; see ``why``.
    """
    text = text.strip()
    _check_depth(text)
    number: Callable[[str], Any] | None = _decimal if exact else None
    try:
        return json.loads(
            text,
            parse_constant=_constant,
            parse_int=number or _int,
            parse_float=_decimal if exact or exact_fractions else None,
            object_pairs_hook=_unique if unique else None,
        )
    except RecursionError as error:
        raise Refused("nested too deeply") from error


def why(error: ValueError) -> str:
    """What was wrong, in one of a few phrases that hold nothing of the text."""
    return str(error) if isinstance(error, Refused) else "not JSON"


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return
    level = 0
    for char in _STRING.sub("", text):
        if char in "[{":
            level += 1
            if level > MOST_LEVELS:
                raise Refused(f"nested more than {MOST_LEVELS} levels deep")
        elif char in "]}":
            level -= 1


def _constant(token: str) -> None:
    raise Refused(f"{token} is not JSON")


def _int(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise Refused(f"a whole number of more than {MOST_DIGITS:,} digits")
    return int(digits)


def _decimal(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation as error:
        raise Refused("a number with an exponent out of any range") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("a key occurs twice in an object")
    return found
