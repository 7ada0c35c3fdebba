"""Scores measured elsewhere: JSONL rows in, the tables of a run out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.store import import_doubles
from harness.store.import_columns import Columns, tables
from harness.store.import_lines import json_object, lines, plain_object
from harness.store.import_rows import check_row

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1_000
"""Rows that are held as Python objects at once: few enough to stay in the processor's cache, which
makes the import twice as fast as with twenty times as many."""


@dataclass(frozen=True)
class Imported:
    """The rows of one file."""

    outputs: pa.Table
    scores: pa.Table
    lines: npt.NDArray[np.int64]
    """The line of each row of ``outputs``."""
    extra: Counter[str]
    """Unknown keys, and in how many rows each stood."""


def read_scores(path: Path) -> Imported:
    """The rows of ``path``, in order.

    Raises DataError naming file and line for text that is not UTF-8 or JSON, a wrong type, a
    missing key, one that looks like a slip, and a NaN or infinity; and for a file without rows.
    """
    import pyarrow as pa

    outputs, scores, numbers = [], [], []
    extra: Counter[str] = Counter()
    source = lines(path)
    while chunk := list(islice(source, CHUNK)):
        columns = _columns(chunk, path)
        extra += columns.extra
        output, score = tables(columns)
        outputs.append(output)
        scores.append(score)
        numbers.append(np.array([line for line, _ in chunk], np.int64))
    if not outputs:
        raise DataError(f"{path} has no rows. Each line is one JSON object.")
    return Imported(
        pa.concat_tables(outputs), pa.concat_tables(scores), np.concatenate(numbers), extra
    )


def _columns(chunk: Sequence[tuple[int, bytes]], path: Path) -> Columns:
    """The checked rows of some lines. Only where something may be wrong is each looked at."""
    rows = _objects(chunk, path)
    columns = Columns.of(rows)
    if not columns.are_sound():
        for (line, _), row in zip(chunk, rows, strict=True):
            check_row(row, f"{path}, line {line}")
    return columns


def _objects(chunk: Sequence[tuple[int, bytes]], path: Path) -> list[dict[str, Any]]:
    try:
        rows = [plain_object(raw) for _, raw in chunk]
    except ValueError:
        rows = [None] * len(chunk)
    return [
        json_object(raw, f"{path}, line {line}") if row is None else row
        for row, (line, raw) in zip(rows, chunk, strict=True)
    ]


def refuse_contradictions(outputs: pa.Table, lines: npt.NDArray[np.int64], path: Path) -> None:
    """Raise DataError for a doubled row, and for a sample in two clusters.

    ``lines``: the line of each row in ``path``; 0: the run that is appended to.
    """
    samples = import_doubles.samples(outputs)
    if found := import_doubles.doubled(samples, outputs["variant"]):
        late, early = found
        row = outputs.select(["task", "sample_id", "variant"]).slice(late, 1).to_pylist()[0]
        before = f"line {lines[early]}" if lines[early] else "the run that is appended to"
        raise DataError(
            f"{path}, line {lines[late]}: task '{row['task']}', sample '{row['sample_id']}', "
            f"variant '{row['variant']}' stands in {before} already. Each may have one row."
        )
    if found := import_doubles.torn(samples, outputs["cluster"]):
        late, early = found
        here, there = (outputs["cluster"][row].as_py() for row in found)
        raise DataError(
            f"{path}, line {lines[late]}: sample '{outputs['sample_id'][late].as_py()}' is in "
            f"cluster '{here}' here and in cluster '{there}' before. A sample comes from one "
            "cluster."
        )
