"""Content hashes: the same content gives the same name on every machine and day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

_LEAVES = {str, int, float, bool, type(None)}
"""Exactly these: an enum or another subclass is not yet plain."""


def plain(value: Any) -> Any:
    """``value`` as JSON types: dataclasses and mappings become objects, tuples and sets lists.

    Raises TypeError for anything whose content would not survive, so that nothing enters a
    fingerprint by its ``repr``.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    # A prompt has hundreds of tokens and a run has thousands of prompts: not one by one.
    if (kind is tuple or kind is list) and _LEAVES.issuperset(map(type, value)):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if _counts(f, value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, Path):
        return value.as_posix()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"cannot fingerprint a {type(value).__name__}: {value!r}")


def _counts(field: Field[Any], value: Any) -> bool:
    """A field with the metadata ``added`` came to its type later: where it has its default it is
    left out, so that whatever was made before keeps its hash."""
    return not field.metadata.get("added") or getattr(value, field.name) != field.default


def of(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    text = json.dumps(plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is legal in a Python string and illegal in UTF-8; it must not stop a run.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
