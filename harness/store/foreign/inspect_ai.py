"""inspect_ai: ``.eval`` logs (a zip archive), and its ``.json`` logs.

https://inspect.aisi.org.uk/eval-logs.html
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import (
    Foreign,
    head,
    json_file,
    plain,
    score,
    text,
    told_apart,
    unknown,
)

NAME = "inspect"
TOOL = "inspect_ai"
VERSIONS = (2,)
"""Of the log's schema."""
ZSTD = 93
"""Compression of the archive's members, by its number in the zip format."""
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""As inspect_ai's ``value_to_float`` has them: correct, partial, incorrect, no answer."""
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def claims(path: Path) -> bool:
    if path.suffix == ".eval":
        return True
    start = head(path)
    return path.suffix == ".json" and b'"eval"' in start and b'"status"' in start


def read(path: Path) -> Foreign:
    log, samples = _archive(path) if zipfile.is_zipfile(path) else _json(path)
    if log.get("version") not in VERSIONS:
        raise unknown(path, TOOL, log.get("version"), ", ".join(map(str, VERSIONS)))
    about = log["eval"]
    rows = [_row(sample, about) for sample in samples]
    if not rows:
        raise DataError(f"{path}: the log has no samples (status: {log.get('status')}).")
    warnings = []
    if log.get("status") != "success":
        warnings.append(f"{path}: the evaluation ended with status '{log.get('status')}'.")
    lost = [r for r in rows if r["metadata"].get("unscored")]
    if lost:
        warnings.append(f"{path}: {len(lost)} samples ended in an error and are unscored.")
    return Foreign(
        TOOL,
        (about.get("packages") or {}).get("inspect_ai"),
        told_apart(_whole(rows)),
        tuple(warnings),
    )


def _whole(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row with every metric: a sample that was lost is unscored, not left out."""
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    return [{**row, "scores": {name: row["scores"].get(name) for name in names}} for row in rows]


def _json(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    log = json_file(path)
    if not isinstance(log, dict) or not isinstance(log.get("eval"), dict):
        raise DataError(f"{path} is no log of inspect_ai: it has no object 'eval'.")
    return log, log.get("samples") or []


def _archive(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "header.json" not in names:
            raise DataError(
                f"{path} has no header.json: the evaluation was interrupted, or the file is no "
                "log of inspect_ai."
            )
        log = json.loads(_member(path, archive, "header.json"))
        wanted = [name for name in names if re.fullmatch(r"samples/.+\.json", name)]
        samples = [json.loads(_member(path, archive, name)) for name in wanted]
    order = {
        str(i): at for at, i in enumerate(log["eval"].get("dataset", {}).get("sample_ids") or [])
    }
    samples.sort(key=lambda s: (s.get("epoch", 1), order.get(str(s["id"]), len(order))))
    return log, samples


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type != ZSTD or hasattr(zipfile, "ZIP_ZSTANDARD"):
        return archive.read(name)
    import pyarrow as pa

    # Before Python 3.14 zipfile knows no zstd, and Arrow does.
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)
        rest = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        file.seek(info.header_offset + 30 + rest)
        raw = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
        data: bytes = stream.read()
    return data


def _row(sample: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    output = sample.get("output") or {}
    target = sample.get("target")
    row: dict[str, Any] = {
        "sample_id": str(sample["id"]),
        "variant": str(about.get("model") or "model"),
        "task": str(about.get("task") or "default").replace("/", "_"),
        "metadata": plain(sample.get("metadata") or {}),
        "input": _input(sample.get("input")),
        "target": text(target[0] if isinstance(target, list) and len(target) == 1 else target),
        "output": None if sample.get("error") else text(output.get("completion")),
        "scores": dict(_scores(sample.get("scores") or {})),
    }
    seconds = score(output.get("time"))
    if seconds is not None and seconds >= 0:
        row["latency_s"] = seconds
    if sample.get("error"):
        row["metadata"]["unscored"] = str(sample["error"].get("message"))[:300]
    return row


def _input(value: Any) -> str | None:
    """The last user message of a conversation, or the text."""
    if isinstance(value, list):
        turns = [turn.get("content") for turn in value if turn.get("role") == "user"]
        return text(turns[-1] if turns else value)
    return text(value)


def _scores(scores: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    for name, found in scores.items():
        value = found.get("value") if isinstance(found, Mapping) else found
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield f"{name}/{key}", _number(inner)
        else:
            yield name, _number(value)


def _number(value: Any) -> float | None:
    if not isinstance(value, str):
        return score(value)
    if value in _LETTERS:
        return _LETTERS[value]
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        return score(float(value))
    except ValueError:
        return None
