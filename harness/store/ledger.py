"""What a suite has cost so far: a line for every training try and every evaluation.

Only ever appended to, so that a try that came to nothing is not forgotten. A process that is
killed outright (``kill -9``, a power cut) writes no line: the seconds of that one try are lost.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError

KINDS = ("training", "evaluation")


def append(path: Path, kind: str, seconds: float, **about: Any) -> None:
    """Add one line: wall ``seconds`` of one try of ``kind``, and what it was about.

    One write to a file opened for appending, so that lines of several processes do not mix on a
    local disk. Raises UsageError where it cannot be written.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of spending: {kind!r}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"kind": kind, "seconds": round(seconds, 3), "created": now, **about}
    data = (json.dumps(line, allow_nan=False) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            written = os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(
            f"Cannot write to '{path}', which keeps what the suite has cost: "
            f"{error.strerror or error}. Free some space, or correct the permissions."
        ) from error
    if written != len(data):
        raise UsageError(
            f"The last line of '{path}' is cut: the disk is full. Free some space and delete it."
        )


def total(path: Path) -> dict[str, float | int]:
    """``{"training_s", "evaluation_s", "tries"}``: wall seconds of all lines, and how many of
    them are trainings. Zero where nothing was spent.

    Raises DataError naming file and line for one that is damaged: a sum without it would make an
    adapter look cheaper than it was.
    """
    seconds = dict.fromkeys(KINDS, 0.0)
    tries = 0
    for number, line in enumerate(_lines(path), 1):
        kind, spent = _entry(line, f"{path}, line {number}")
        seconds[kind] += spent
        tries += kind == "training"
    return {
        "training_s": round(seconds["training"], 3),
        "evaluation_s": round(seconds["evaluation"], 3),
        "tries": tries,
    }


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"Cannot read '{path}': {error.strerror or error}.") from error


def _entry(line: bytes, where: str) -> tuple[str, float]:
    remedy = "Correct the line, or delete it, and its seconds are not counted."
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}). {remedy}") from error
    entry = entry if isinstance(entry, Mapping) else {}
    kind, seconds = entry.get("kind"), entry.get("seconds")
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise DataError(f"{where}: 'kind' must be one of {known}, got {kind!r}. {remedy}")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise DataError(f"{where}: 'seconds' must be a number, got {seconds!r}. {remedy}")
    if not math.isfinite(seconds) or seconds < 0:
        raise DataError(f"{where}: 'seconds' must be a number from 0, got {seconds}. {remedy}")
    return str(kind), float(seconds)
