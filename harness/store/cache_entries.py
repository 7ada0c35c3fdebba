"""One entry of the cache: a JSON object as text, and the checksum that proves it whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

COLUMNS = "key, value, created, checksum, used"
"""``used``: the day of the last use. ``checksum`` and ``used`` are NULL in what an older version
of the harness wrote."""


def encoded(value: Mapping[str, Any]) -> str:
    """Raises ValueError for what is not JSON, NaN and infinities included."""
    # ASCII escapes carry lone surrogates, which SQLite's UTF-8 text cannot.
    return json.dumps(dict(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def digest(key: str, value: bytes) -> bytes:
    """Of key and value together: a value under another's key is as wrong as a changed one."""
    return hashlib.blake2b(key.encode() + b"\0" + value, digest_size=8).digest()


def whole(key: str, value: bytes | None, checksum: bytes | None) -> bool:
    """Whether the entry is as it was written, as far as can be told."""
    if value is None:
        return False
    return checksum is None or checksum == digest(key, value)


def decoded(key: str, value: bytes | None, checksum: bytes | None) -> dict[str, Any] | None:
    """The entry; None where it is damaged."""
    if value is None or not whole(key, value, checksum):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
