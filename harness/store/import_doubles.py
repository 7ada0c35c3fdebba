"""Rows that contradict each other: two for one sample and variant, one sample in two clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Codes = npt.NDArray[np.int64]


def samples(outputs: pa.Table) -> Codes:
    """(n,) the same number for rows of the same task and sample."""
    task, sample = _codes(outputs["task"]), _codes(outputs["sample_id"])
    codes: Codes = task * (sample.max(initial=0) + 1) + sample
    return codes


def doubled(samples: Codes, variant: pa.ChunkedArray) -> tuple[int, int] | None:
    """The first row whose sample and variant an earlier row has, and that earlier row."""
    variants = _codes(variant)
    order, starts = _groups(samples * (variants.max(initial=0) + 1) + variants)
    return _first(order, starts, ~starts)


def torn(samples: Codes, cluster: pa.ChunkedArray) -> tuple[int, int] | None:
    """The first row that puts its sample into another cluster than an earlier row, and that row.

    A row without a cluster says nothing.
    """
    if cluster.null_count == len(cluster):
        return None
    clusters = _codes(cluster)
    rows = np.flatnonzero(clusters >= 0)
    order, starts = _groups(samples[rows])
    order = rows[order]
    home = clusters[order[starts]][np.cumsum(starts) - 1]
    return _first(order, starts, clusters[order] != home)


def _groups(keys: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Rows with equal keys side by side, the earlier first, and whether each starts a group."""
    order = np.argsort(keys, kind="stable")
    starts = np.ones(len(keys), bool)
    starts[1:] = keys[order][1:] != keys[order][:-1]
    return order, starts


def _first(
    order: Codes, starts: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_]
) -> tuple[int, int] | None:
    if not wrong.any():
        return None
    places = np.flatnonzero(wrong)
    place = places[np.argmin(order[places])]
    start = np.flatnonzero(starts[: place + 1])[-1]
    return int(order[place]), int(order[start])


def _codes(column: Any) -> Codes:
    """A number for each text; -1: null."""
    import pyarrow.compute as pc

    encoded = column.dictionary_encode().combine_chunks()
    indices = pc.fill_null(encoded.indices, -1)
    found = np.frombuffer(indices.buffers()[1], np.int32)
    codes: Codes = found[indices.offset : indices.offset + len(indices)].astype(np.int64)
    return codes
