"""Scores measured elsewhere: JSONL rows in, the tables of a run out."""

from __future__ import annotations

import difflib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, did_you_mean
from harness.store.runs import OUTPUT_COLUMNS, SCORE_COLUMNS, outputs_schema, scores_schema

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = (
    *("sample_id", "variant", "scores", "task", "cluster", "metadata"),
    *("input", "target", "output", "latency_s", "cost"),
)
DEFAULT_TASK = "default"
RESERVED = ("best",)
"""Names that rules give a meaning of their own."""
NULL_REASON = "null in the imported file"
NEAR = 0.75
"""An unknown key this similar to a known one is taken for a slip, not for an extra."""
CHUNK = 50_000
"""Rows that are held as Python objects at once."""


@dataclass
class Imported:
    """What an import has read so far: the tables, and what makes the next row wrong."""

    outputs: list[pa.Table] = field(default_factory=list)
    scores: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    extra: Counter[str] = field(default_factory=Counter)
    """Unknown keys, and in how many rows each stood."""
    _samples: dict[tuple[str, str], int] = field(default_factory=dict)
    _variants: dict[str, int] = field(default_factory=dict)
    _lines: dict[int, int] = field(default_factory=dict)
    _clusters: dict[int, str] = field(default_factory=dict)

    def sample(self, task: str, sample_id: str) -> int:
        return self._samples.setdefault((task, sample_id), len(self._samples))

    def register(self, row: Mapping[str, Any], where: str, line: int) -> None:
        """Refuse a doubled row, and a sample in two clusters."""
        sample = self.sample(row["task"], row["sample_id"])
        variant = self._variants.setdefault(row["variant"], len(self._variants))
        # One number for the pair: a million tuples would take four times the memory.
        earlier = self._lines.setdefault((sample << 24) | variant, line)
        if earlier != line:
            before = f"line {earlier}" if earlier else "the run that is appended to"
            raise DataError(
                f"{where}: task '{row['task']}', sample '{row['sample_id']}', variant "
                f"'{row['variant']}' stands in {before} already. Each may have one row."
            )
        cluster = row["cluster"]
        if cluster is not None and self._clusters.setdefault(sample, cluster) != cluster:
            raise DataError(
                f"{where}: sample '{row['sample_id']}' is in cluster '{cluster}' here and in "
                f"cluster '{self._clusters[sample]}' before. A sample comes from one cluster."
            )


def read_scores(path: Path, into: Imported) -> None:
    """Read the rows of ``path`` into ``into``.

    Raises DataError naming file and line for text that is not UTF-8 or JSON, a wrong type, a
    missing key, one that looks like a slip, a doubled row, a sample in two clusters, and a NaN
    or infinity.
    """
    outputs: dict[str, list[Any]] = {name: [] for name in OUTPUT_COLUMNS}
    scores: dict[str, list[Any]] = {name: [] for name in SCORE_COLUMNS}
    start = into.rows
    for line, raw in _lines(path):
        where = f"{path}, line {line}"
        row = _row(raw, where, into.extra)
        into.register(row, where, line)
        into.rows += 1
        for name, column in outputs.items():
            column.append(row.get(name))
        for metric, value in row["scores"].items():
            key = (row["task"], row["sample_id"], row["variant"], metric)
            for name, part in zip(SCORE_COLUMNS, (*key, value, None), strict=True):
                scores[name].append(part)
            if value is None:
                scores["reason"][-1] = NULL_REASON
        if len(outputs["task"]) >= CHUNK:
            _flush(outputs, scores, into)
    if into.rows == start:
        raise DataError(f"{path} has no rows. Each line is one JSON object.")
    _flush(outputs, scores, into)


def _flush(outputs: dict[str, list[Any]], scores: dict[str, list[Any]], into: Imported) -> None:
    import pyarrow as pa

    into.outputs.append(pa.table(outputs, schema=outputs_schema()))
    into.scores.append(pa.table(scores, schema=scores_schema()))
    for column in (*outputs.values(), *scores.values()):
        column.clear()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                if text.strip():
                    yield number, text
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error


def _row(raw: bytes, where: str, extra: Counter[str]) -> dict[str, Any]:
    row = _object(raw, where)
    for key in row.keys() - set(KEYS):
        if difflib.get_close_matches(key, KEYS, n=1, cutoff=NEAR):
            raise DataError(f"{where}: unknown key '{key}'.{did_you_mean(key, KEYS)}")
        extra[key] += 1
    for key in ("sample_id", "variant", "scores"):
        if key not in row:
            raise DataError(f"{where}: the key '{key}' is missing.")
    texts = {k: _text(row, k, where) for k in KEYS if k not in _NOT_TEXT}
    if texts["variant"] in RESERVED:
        raise DataError(f"{where}: a variant cannot be called '{texts['variant']}': rules use it.")
    target = texts["target"]
    return {
        **texts,
        "task": DEFAULT_TASK if texts["task"] is None else texts["task"],
        "target": None if target is None else json.dumps([target], ensure_ascii=False),
        "metadata": _metadata(row, where),
        "scores": _scores(row["scores"], where),
        "latency_s": _amount(row, "latency_s", where),
        "cost": _amount(row, "cost", where),
    }


_NOT_TEXT = ("scores", "metadata", "latency_s", "cost")


def _object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(raw, parse_constant=_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error}). Save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}, column {error.colno}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {error}.") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: a row is a JSON object, got {_kind(row)}.")
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


def _refuse_surrogates(row: dict[str, Any], where: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: half of a surrogate pair ({error.object[error.start]!r}) is no text."
        ) from error


def _text(row: Mapping[str, Any], key: str, where: str) -> str | None:
    value = row.get(key)
    required = key in ("sample_id", "variant")
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise DataError(f"{where}: '{key}' must be a string, got {_kind(value)}.")
    if not value and (required or key in ("task", "cluster")):
        raise DataError(f"{where}: '{key}' is empty.")
    return value


def _metadata(row: Mapping[str, Any], where: str) -> str | None:
    value = row.get("metadata")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise DataError(f"{where}: 'metadata' must be an object, got {_kind(value)}.")
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _scores(value: Any, where: str) -> dict[str, float | None]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: 'scores' must be an object, got {_kind(value)}.")
    found = {}
    for metric, score in value.items():
        if not metric:
            raise DataError(f"{where}: a metric has an empty name.")
        found[metric] = _number(score, f"the score '{metric}'", where)
    return found


def _amount(row: Mapping[str, Any], key: str, where: str) -> float | None:
    value = _number(row.get(key), f"'{key}'", where)
    if value is not None and value < 0:
        raise DataError(f"{where}: '{key}' must not be negative, got {value:g}.")
    return value


def _number(value: Any, what: str, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{where}: {what} must be a number or null, got {_kind(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"{where}: {what} is too large to be a number; null means unscored.")
    return number


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), f"the number {value}")
