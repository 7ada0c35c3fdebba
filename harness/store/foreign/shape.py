"""What every format gives, and the small steps that most of them share."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import DataError


@dataclass(frozen=True)
class Foreign:
    """Rows as ``harness import`` takes them, and where they come from."""

    tool: str
    version: str | None
    """Of the tool, where the file tells."""
    rows: Sequence[Mapping[str, Any]]
    warnings: tuple[str, ...] = field(default=())


def head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file; empty for a folder or what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def json_file(path: Path) -> Any:
    """The JSON in a file. Raises DataError."""
    try:
        # NaN is read (other tools write it) and becomes unscored with its reason.
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from error


def json_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Line numbers and objects. Raises DataError."""
    found = []
    try:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if line.strip():
                row = json.loads(line.decode("utf-8-sig"))
                if not isinstance(row, dict):
                    raise ValueError("a line must be an object")
                found.append((number, row))
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {len(found) + 1}: {error}.") from error
    return found


def score(value: Any) -> float | None:
    """A number, or None (unscored) for what is none: null, NaN, an infinity, text."""
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def text(value: Any) -> str | None:
    """Text as it is, None as None, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def plain(value: Any) -> Any:
    """JSON whose numbers are finite, as metadata must be."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def told_apart(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Several answers to one sample, as ``id#0``, ``id#1`` … in the cluster of the sample.

    Answers to one sample are not independent, and the gate must know.
    """

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return (row.get("task"), row["sample_id"], row["variant"])

    counts = Counter(map(key, rows))
    repeated = {(k[0], k[1]) for k, n in counts.items() if n > 1}
    seen: Counter[tuple[Any, ...]] = Counter()
    found = []
    for row in rows:
        if (row.get("task"), row["sample_id"]) in repeated:
            at = seen[key(row)]
            seen[key(row)] += 1
            name = row["sample_id"]
            row = {**row, "sample_id": f"{name}#{at}", "cluster": row.get("cluster") or name}
        found.append(row)
    return found


def unknown(path: Path, tool: str, found: object, known: str) -> DataError:
    """The error for a version that nobody has tried."""
    return DataError(
        f"{path}: version {found} of the {tool} format is not known (known: {known}). Write rows "
        "as `harness import --help` shows them, or use a release of the tool that is known."
    )
