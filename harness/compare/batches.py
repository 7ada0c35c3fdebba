"""The batches of an appended run: is every cluster whole in one of them?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.compare.columns import numbers
from harness.stats.mean import Codes
from harness.store.runs import Run


def split_clusters(run: Run) -> Mapping[str, str]:
    """For each task a cluster with samples in more than one imported batch, where there is one.

    A bound that holds at every look takes each cluster as one draw, so a cluster that goes on
    growing after a look is not what it was then.
    """
    sizes = [int(batch["rows"]) for batch in run.manifest.get("batches") or ()]
    if len(sizes) < 2:
        return {}
    number = np.repeat(np.arange(len(sizes)), sizes)[: run.outputs.num_rows]
    tasks, task = _encoded(run, "task")
    names, cluster = _encoded(run, "cluster")
    # Arrow's group_by imports pandas, which takes longer than all the rest of a gate.
    told = cluster >= 0
    pairs = task[told].astype(np.int64) * len(names) + cluster[told]
    first = np.full(len(tasks) * len(names), -1, np.int64)
    batch = number[told]
    # The last write wins, so backwards each pair keeps its first batch.
    first[pairs[::-1]] = batch[::-1]
    later = np.flatnonzero(batch != first[pairs])
    split: dict[str, str] = {}
    for at in np.flatnonzero(told)[later]:
        split.setdefault(tasks[task[at]], names[cluster[at]])
        if len(split) == len(tasks):
            break
    return split


def _encoded(run: Run, column: str) -> tuple[list[str], Codes]:
    """The distinct texts of a column and the place of each row's in them; -1: null."""
    encoded = run.outputs[column].dictionary_encode().combine_chunks()
    codes, known = numbers(encoded.indices, np.int32)
    return encoded.dictionary.to_pylist(), np.where(known, codes, -1).astype(np.int64)
