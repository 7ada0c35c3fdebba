"""Files that commands write beside what they print."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import UsageError


def write_json(value: Any, target: str) -> None:
    """JSON to a file, or to standard output where ``target`` is ``-``."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Only a lone surrogate cannot be encoded, and its backslash form is its JSON escape.
    data = text.encode("utf-8", "backslashreplace")
    if target == "-":
        _stdout(data)
    else:
        write_file(data, Path(target))


def _stdout(data: bytes) -> None:
    # Bytes, as standard output may have an encoding that lacks a character (Windows).
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_file(data: bytes, path: Path) -> None:
    """Write whole or not at all. Raises UsageError where the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, staging = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(staging, 0o666 & ~mask)
        os.replace(staging, path)
    except OSError as error:
        raise UsageError(f"Cannot write '{path}': {error.strerror}.") from error
