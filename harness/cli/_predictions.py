"""The file of predictions that ``harness score`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli._strict_json import loads
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.types import Message, Sample

ROLES = ("system", "user", "assistant")


def read(file: Path, referenced: bool) -> tuple[list[str], list[Sample]]:
    """Predictions and what to hold them against. Raises DataError with file and line.

    ``referenced``: every row needs a reference.
    """
    from harness.types import Sample

    texts: list[str] = []
    samples: dict[str, Sample] = {}
    for where, row in _objects(file):
        key, text = row.get("id"), row.get("prediction")
        if not isinstance(key, str):
            raise DataError(f"{where}: 'id' must be a string, got {_shown(row, 'id')}.")
        if not isinstance(text, str):
            raise DataError(
                f"{where}: 'prediction' must be a string, got {_shown(row, 'prediction')}."
            )
        if key in samples:
            raise DataError(f"{where}: the id '{key}' is there already. Ids must be unique.")
        targets: tuple[str, ...] = ()
        if referenced or "reference" in row:
            targets = _targets(where, row)
        texts.append(text)
        samples[key] = Sample(key, _input(where, row), targets, metadata=_metadata(where, row))
    if not texts:
        raise DataError(f"{file} has no rows.")
    return texts, list(samples.values())


def _targets(where: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    reference = row.get("reference")
    if isinstance(reference, str):
        return (reference,)
    if isinstance(reference, list) and all(isinstance(item, str) for item in reference):
        return tuple(reference)
    raise DataError(
        f"{where}: 'reference' must be a string or a list of strings, got "
        f"{_shown(row, 'reference')}."
    )


def _input(where: str, row: Mapping[str, Any]) -> str | tuple[Message, ...]:
    value = row.get("input", "")
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_message(turn) for turn in value):
        return tuple(value)
    raise DataError(
        f"{where}: 'input' must be a string or a list of chat messages "
        f'{{"role": {" or ".join(ROLES)}, "content": str}}, got {_shown(row, "input")}.'
    )


def _is_message(turn: Any) -> bool:
    return (
        isinstance(turn, dict)
        and set(turn) == {"role", "content"}
        and turn["role"] in ROLES
        and isinstance(turn["content"], str)
    )


def _metadata(where: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    value = row.get("metadata", {})
    if not isinstance(value, dict):
        raise DataError(f"{where}: 'metadata' must be an object, got {_shown(row, 'metadata')}.")
    return value


def _shown(row: Mapping[str, Any], key: str) -> str:
    return json.dumps(row[key], ensure_ascii=False)[:80] if key in row else "nothing"


def _objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file}, line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                value = loads(text) if text.strip() else None
            except ValueError as error:
                raise DataError(f"{where}: not JSON: {error}") from error
            if not text.strip():
                continue
            if not isinstance(value, dict):
                raise DataError(f"{where}: a row must be a JSON object.")
            yield where, value
