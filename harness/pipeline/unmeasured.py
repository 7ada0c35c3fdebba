"""A suite as the run it would be, with nothing measured: the samples that rules are held on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness import fingerprints, recipes
from harness.pipeline import checks
from harness.pipeline.inputs import Inputs
from harness.pipeline.probe import counts_of, of_rules
from harness.pipeline.record import row_cluster, row_id
from harness.store.runs import Run, outputs_table, scores_table
from harness.types import RuleSet, Sample, Suite


def unmeasured(suite: Suite, inputs: Sequence[Inputs], rules: RuleSet, repeats: int) -> Run:
    """A row for every answer that a run held to ``rules`` would ask for, without text or score."""
    variants = [v.name for v in suite.variants]
    rows = [
        {
            "task": one.task.name,
            "sample_id": row_id(sample, k, repeats),
            "variant": variant,
            "cluster": row_cluster(sample, repeats),
            "metadata": json.dumps(fingerprints.plain(sample.metadata), ensure_ascii=False),
        }
        for one in inputs
        for variant in variants
        for first in one.data.eval
        for sample in (first, *checks.later(first))
        for k in range(repeats)
    ]
    manifest = {
        "kind": "run",
        "suite": suite.name,
        "repeats": repeats,
        "tasks": {one.task.name: _task(one) for one in inputs},
        "variants": {
            v.name: {"has_adapter": v.adapter is not None, "recipe": recipes.variant_to_dict(v)}
            for v in suite.variants
        },
        "probe": {"tasks": _probe(inputs, rules, variants, repeats)},
    }
    return Run(None, manifest, outputs_table(rows), scores_table([]))


def _task(one: Inputs) -> dict[str, Any]:
    metrics = [fingerprints.plain(m) for s in one.scorers for m in s.metrics]
    return {"n": checks.rows(one.data.eval), "metrics": {m["name"]: m for m in metrics}}


def _probe(
    inputs: Sequence[Inputs], rules: RuleSet, variants: Sequence[str], repeats: int
) -> dict[str, Any]:
    counts = counts_of(inputs, of_rules(rules), None)
    found = {}
    for one in inputs:
        probed: Sequence[Sample] = one.data.eval[: counts.get(one.task.name, 0)]
        if probed:
            found[one.task.name] = {
                "sample_id": [row_id(sample, 0, repeats) for sample in probed],
                "latency_s": {v: [float("nan")] * len(probed) for v in variants},
            }
    return found
