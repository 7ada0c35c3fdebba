"""JSON as RFC 8259 has it: Python's reader also takes NaN and Infinity, which are not JSON."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str) -> Any:
    """The value that the whole of ``text`` (ends stripped) is. Raises ValueError if it is none."""
    try:
        return json.loads(text.strip(), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")
