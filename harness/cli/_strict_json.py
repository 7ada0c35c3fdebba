"""JSON that people write for a command, read strictly."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str) -> Any:
    """Raises ValueError for what is not JSON, NaN and infinities included, for a key twice in an
    object, as the last would count in silence, and for a nesting too deep to be read."""
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key '{key:.80}' stands twice in an object")
        found[key] = value
    return found
