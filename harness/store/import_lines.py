"""Lines of a JSONL file as objects, read more strictly than JSON readers usually do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.import_rows import kind


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbers (from 1) and bytes of the lines that are not blank."""
    try:
        with path.open("rb") as file:
            # Bytes split at \n alone; text would also split at U+2028 inside a string.
            for number, raw in enumerate(file, 1):
                text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                if not text.isspace():
                    yield number, text
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error


def plain_object(raw: bytes) -> dict[str, Any] | None:
    """The object in a line; None or ValueError where ``json_object`` may refuse it."""
    text = str(raw, "utf-8")
    try:
        row, end = _DECODER.raw_decode(text)
    except RecursionError:
        return None
    plain = isinstance(row, dict) and b"\\u" not in raw and not text[end:].strip(" \t\r\n")
    return row if plain else None


def json_object(raw: bytes, where: str) -> dict[str, Any]:
    """The object in a line.

    Raises DataError for what is not UTF-8, not JSON or no object, and for NaN, an infinity, a key
    that stands twice in one object, and half of a surrogate pair.
    """
    try:
        row = _DECODER.decode(str(raw, "utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error}). Save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}, column {error.colno}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {error}.") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: a row is a JSON object, got {kind(row)}.")
    if b"\\u" in raw:
        _refuse_surrogates(row, where)
    return row


def _constant(token: str) -> float:
    raise ValueError(f"{token} is no JSON number; write null for a value that is not known")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"the key '{doubled}' stands twice in one object")
    return found


# Made once: `json.loads` with hooks makes one for every call, and a file has a million lines.
_DECODER = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_once)


def _refuse_surrogates(row: dict[str, Any], where: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: half of a surrogate pair ({error.object[error.start]!r}) is no text."
        ) from error
