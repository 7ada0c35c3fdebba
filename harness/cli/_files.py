"""Files that commands write beside what they print."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness.store.files import write_whole


def write_json(value: Any, target: str) -> None:
    """JSON to a file, or to standard output where ``target`` is ``-``."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Only a lone surrogate cannot be encoded, and its backslash form is its JSON escape.
    data = text.encode("utf-8", "backslashreplace")
    if target == "-":
        _stdout(data)
    else:
        write_whole(Path(target), data, parents=True)


def _stdout(data: bytes) -> None:
    # Bytes, as standard output may have an encoding that lacks a character (Windows).
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
