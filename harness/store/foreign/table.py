"""Plain CSV (and TSV): a row a sample and variant, a column a metric; or columns metric, value."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import Foreign
from harness.store.import_rows import AMOUNTS, REQUIRED, TEXTS

NAME = "csv"
TOOL = "CSV"
_LONG = ("metric", "value")
_EMPTY = ("", "null", "None", "NA")
"""What stands for no value. A NaN is refused: it hides a mistake."""


def claims(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv")


def read(path: Path) -> Foreign:
    names, lines = _lines(path)
    missing = [key for key in REQUIRED if key not in names]
    if missing:
        raise DataError(
            f"{path}: the column '{missing[0]}' is missing. Needed: {', '.join(REQUIRED)}, and a "
            f"column for each metric; known besides: {', '.join((*TEXTS[2:], *AMOUNTS))}."
        )
    if set(_LONG) <= set(names):
        return Foreign(TOOL, None, _long(path, lines))
    others = [name for name in names if name not in (*TEXTS, *AMOUNTS)]
    metrics = [name for name in others if _is_metric(name, lines, path)]
    if not metrics:
        raise DataError(f"{path}: no column holds numbers, so there is no metric.")
    rows = [
        {
            **_known(line, path, number),
            "metadata": {n: line[n] for n in others if n not in metrics and line[n]},
            "scores": {n: _number(line[n], f"{path}, line {number}: '{n}'") for n in metrics},
        }
        for number, line in lines
    ]
    return Foreign(TOOL, None, rows)


Lines = Sequence[tuple[int, Mapping[str, str]]]


def _lines(path: Path) -> tuple[list[str], Lines]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            names = [name.strip() for name in next(reader, [])]
            found = []
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(names):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells under {len(names)} "
                        "columns. Put quotes around text that holds the separator."
                    )
                found.append((reader.line_num, dict(zip(names, cells, strict=True))))
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error}). Save the file as UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}.") from error
    doubled = [name for i, name in enumerate(names) if name in names[:i] or not name]
    if doubled:
        raise DataError(f"{path}: the column '{doubled[0]}' stands twice, or has no name.")
    if not found:
        raise DataError(f"{path} has no rows.")
    return names, found


def _is_metric(name: str, lines: Lines, path: Path) -> bool:
    """A column all of whose values are numbers (or empty); one that mixes both is a mistake."""
    values = [(number, line[name]) for number, line in lines if line[name] not in _EMPTY]
    numbers = [_float(value) for _, value in values]
    if not any(value is not None for value in numbers):
        return False
    for (number, value), read_as in zip(values, numbers, strict=True):
        if read_as is None:
            raise DataError(
                f"{path}, line {number}: '{value}' in column '{name}' is no number, and other "
                "rows have numbers there. Leave the cell empty for a sample without a score."
            )
    return True


def _float(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _number(value: str, where: str) -> float | None:
    if value in _EMPTY:
        return None
    found = _float(value)
    if found is None or not math.isfinite(found):
        raise DataError(f"{where} is '{value}', no finite number. Leave it empty for no score.")
    return found


def _known(line: Mapping[str, str], path: Path, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {key: line[key] for key in TEXTS if line.get(key)}
    for key in REQUIRED:
        if key not in row:
            raise DataError(f"{path}, line {number}: '{key}' is empty.")
    for key in AMOUNTS:
        if line.get(key):
            row[key] = _number(line[key], f"{path}, line {number}: '{key}'")
    return row


def _long(path: Path, lines: Lines) -> list[dict[str, Any]]:
    """Rows of one metric each, put together by task, sample and variant."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for number, line in lines:
        known = _known(line, path, number)
        key = (known.get("task"), known["sample_id"], known["variant"])
        row = rows.setdefault(key, {**known, "scores": {}})
        metric = line["metric"]
        if metric in row["scores"] or not metric:
            raise DataError(
                f"{path}, line {number}: the metric '{metric}' of sample '{known['sample_id']}', "
                f"variant '{known['variant']}' has no name or stands twice."
            )
        row["scores"][metric] = _number(line["value"], f"{path}, line {number}: 'value'")
    return list(rows.values())
