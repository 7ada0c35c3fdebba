"""Many imported rows as the tables of a run: whole columns are checked, not single values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.store.import_rows import (
    AMOUNTS,
    DEFAULT_TASK,
    KEYS,
    NAMES,
    REQUIRED,
    RESERVED,
    TEXTS,
    is_slip,
)
from harness.store.runs import outputs_schema, scores_schema

if TYPE_CHECKING:
    import pyarrow as pa

NULL_REASON = "null in the imported file"


@dataclass(frozen=True)
class Columns:
    """Rows the other way round: for each key that any of them has, a value a row."""

    n: int
    known: Mapping[str, Sequence[Any]]
    extra: Counter[str]
    """Unknown keys, and in how many rows each stands."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Columns:
        extra: Counter[str] = Counter()
        keys = Counter(map(tuple, rows))
        for some, n in keys.items():
            for key in set(some).difference(KEYS):
                extra[key] += n
        present = {key for some in keys for key in some}
        known = {key: [row.get(key) for row in rows] for key in KEYS if key in present}
        return cls(len(rows), known, extra)

    def are_sound(self) -> bool:
        """Whether ``check_row`` accepts every row; False also where that is only likely.

        A dozen passes in C over whole columns, where the checks of one row are a hundred steps.
        """
        if any(map(is_slip, self.extra)) or not {*REQUIRED, "scores"} <= self.known.keys():
            return False
        return all(_SOUND[key](key, column) for key, column in self.known.items())


def _sound_text(key: str, column: Sequence[Any]) -> bool:
    if not set(map(type, column)) <= ({str} if key in REQUIRED else {str, type(None)}):
        return False
    return not (key in NAMES and "" in column) and not (key == "variant" and _reserved(column))


def _reserved(column: Sequence[Any]) -> bool:
    return not set(RESERVED).isdisjoint(column)


def _sound_amounts(_: str, column: Sequence[Any]) -> bool:
    numbers = _numbers(column)
    return numbers is not None and not (numbers < 0).any()


def _sound_metadata(_: str, column: Sequence[Any]) -> bool:
    return set(map(type, column)) <= {dict, type(None)}


def _sound_scores(_: str, column: Sequence[Any]) -> bool:
    if set(map(type, column)) != {dict} or "" in chain.from_iterable(column):
        return False
    return _numbers(list(chain.from_iterable(map(dict.values, column)))) is not None


_SOUND = {
    **dict.fromkeys(TEXTS, _sound_text),
    **dict.fromkeys(AMOUNTS, _sound_amounts),
    "metadata": _sound_metadata,
    "scores": _sound_scores,
}


def _numbers(values: Sequence[Any]) -> npt.NDArray[np.float64] | None:
    """(n,) NaN where null; None where anything is no finite number."""
    if not set(map(type, values)) <= {int, float, type(None)}:
        return None
    try:
        numbers = np.array(values, np.float64)
    except OverflowError:
        return None
    known = np.isfinite(numbers)
    return numbers if known.sum() == len(values) - values.count(None) else None


def tables(columns: Columns) -> tuple[pa.Table, pa.Table]:
    """outputs and scores of rows that are sound, in their order."""
    import pyarrow as pa

    known = dict(columns.known)
    scores = known.pop("scores")
    known["task"] = [t or DEFAULT_TASK for t in known.get("task", [None] * columns.n)]
    for key, wrap in (("target", lambda text: [text]), ("metadata", lambda value: value)):
        if key in known:
            known[key] = [None if v is None else _json(wrap(v)) for v in known[key]]
    arrays = [
        pa.nulls(columns.n, field.type)
        if field.name not in known
        else _floats(known[field.name])
        if field.name in AMOUNTS
        else pa.array(known[field.name], field.type)
        for field in outputs_schema()
    ]
    outputs = pa.table(arrays, schema=outputs_schema())
    return outputs, _scores(outputs, scores)


def _scores(outputs: pa.Table, scores: Sequence[dict[str, float | None]]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    each = np.fromiter(map(len, scores), np.int64, len(scores))
    row = pa.py_buffer(np.repeat(np.arange(len(scores)), each))
    rows = pa.Array.from_buffers(pa.int64(), int(each.sum()), [None, row])
    value = _floats(list(chain.from_iterable(map(dict.values, scores))))
    why = pa.scalar(NULL_REASON, pa.string())
    return pa.table(
        [
            *(outputs[name].take(rows) for name in ("task", "sample_id", "variant")),
            pa.array(chain.from_iterable(scores), pa.string()),
            value,
            pc.if_else(pc.is_null(value), why, pa.scalar(None, pa.string())),
        ],
        schema=scores_schema(),
    )


def _floats(values: Sequence[Any]) -> pa.Array:
    """float64, null where None; from a buffer, as Arrow takes no int beyond 2**53 for a float."""
    import pyarrow as pa

    numbers = np.array(values, np.float64)
    known = np.packbits(~np.isnan(numbers), bitorder="little")
    buffers = [pa.py_buffer(known), pa.py_buffer(numbers)]
    return pa.Array.from_buffers(pa.float64(), len(values), buffers)


# Made once: `json.dumps` with options makes one for every call.
_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
