"""Columns of Arrow tables as numpy arrays, without pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.stats.mean import Codes, Floats

if TYPE_CHECKING:
    import pyarrow as pa

Bools = npt.NDArray[np.bool_]


def code_array(column: pa.ChunkedArray, names: tuple[str, ...]) -> Codes:
    """The place of each value in ``names``."""
    encoded = column.dictionary_encode().combine_chunks()
    places = {name: i for i, name in enumerate(names)}
    table = np.array([places[name] for name in encoded.dictionary.to_pylist()] or [0], np.int64)
    codes: Codes = table[numbers(encoded.indices, np.int32)[0]]
    return codes


def index_array(rows: Codes) -> pa.Array:
    import pyarrow as pa

    buffer = pa.py_buffer(np.ascontiguousarray(rows, np.int64))
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, buffer])


def numbers(array: pa.Array, kind: type[np.generic]) -> tuple[npt.NDArray[Any], Bools]:
    """The numbers of an array of ``kind``, and which of them are not null.

    From the buffers themselves: every conversion that Arrow offers imports pandas (0.7 s).
    """
    n, start = len(array), array.offset
    bitmap, data = array.buffers()
    values = np.frombuffer(data or b"", kind)[start : start + n]
    if bitmap is None:
        return values, np.ones(n, bool)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return values, bits[start : start + n].astype(bool)


def float_array(column: pa.ChunkedArray) -> Floats:
    """NaN where null, and where not finite: no such value was measured."""
    import pyarrow as pa

    values, known = numbers(column.cast(pa.float64()).combine_chunks(), np.float64)
    floats: Floats = np.where(known & np.isfinite(values), values, np.nan)
    return floats
