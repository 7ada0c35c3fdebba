"""A run as one table: what was answered, and a column for each metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.store.runs import OUTPUT_KEYS

if TYPE_CHECKING:
    import pyarrow as pa


def wide(outputs: pa.Table, scores: pa.Table) -> pa.Table:
    """``outputs`` with the scores as ``score_NAME``: a row a task, sample and variant, in their
    order. An unscored value is null, and so is what is not known of a score without an output."""
    import pyarrow.compute as pc

    keys = list(OUTPUT_KEYS)
    table = outputs
    for metric in scores["metric"].unique().to_pylist():
        one = scores.filter(pc.equal(scores["metric"], metric)).select([*keys, "value"])
        one = one.rename_columns([*keys, f"score_{metric}"])
        table = table.join(one, keys=keys, join_type="full outer", use_threads=False)
    # Table.sort_by does it in threads of its own.
    return table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys]))
