"""The batches of an appended run: is every cluster whole in one of them?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.store.runs import Run


def split_clusters(run: Run) -> Mapping[str, str]:
    """For each task a cluster with samples in more than one imported batch, where there is one.

    A bound that holds at every look takes each cluster as one draw, so a cluster that goes on
    growing after a look is not what it was then.
    """
    sizes = [int(batch["rows"]) for batch in run.manifest.get("batches") or ()]
    if len(sizes) < 2:
        return {}
    import pyarrow as pa
    import pyarrow.compute as pc

    number = np.repeat(np.arange(len(sizes)), sizes)[: run.outputs.num_rows]
    table = run.outputs.select(["task", "cluster"]).append_column("batch", pa.array(number))
    table = table.filter(pc.is_valid(table["cluster"]))
    grouped = table.group_by(["task", "cluster"], use_threads=False)
    found = grouped.aggregate([("batch", "min"), ("batch", "max")])
    split = found.filter(pc.not_equal(found["batch_min"], found["batch_max"]))
    return {row["task"]: row["cluster"] for row in split.to_pylist()}
