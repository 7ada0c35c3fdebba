"""Runs made by hand for tests of comparisons and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.rules import parse_rules
from harness.store.runs import Run, outputs_table, scores_table
from harness.types import RuleSet

BOUNDED = {"definition": "made", "higher_is_better": True, "low": 0.0, "high": 1.0, "version": "1"}
BINARY = {**BOUNDED, "binary": True}
OWN = {**BOUNDED, "binary": False}


def made_run(
    values: Mapping[str, Sequence[float | None]],
    *,
    metric: str = "m",
    info: Mapping[str, Any] | None = None,
    kind: str = "run",
    task: str = "t",
    adapters: Sequence[str] = (),
    probe: Mapping[str, Sequence[float | None]] | Sequence[float | None] | None = None,
    **columns: Any,
) -> Run:
    """One task: ``values`` by variant, a value per sample.

    ``columns``: columns of the outputs, each a list for all variants or a mapping from variant to
    its list. Without ``output`` every variant says something of its own to every sample.
    ``probe``: seconds of the first samples, for all variants or by variant.
    """
    outputs, scores = [], []
    for variant, scored in values.items():
        for i, value in enumerate(scored):
            key = {"task": task, "sample_id": f"s{i:05d}", "variant": variant}
            row = {"input": f"q{i}", "target": f'["a{i}"]', "output": f"{variant} says {i}"}
            for name, column in columns.items():
                row[name] = (column[variant] if isinstance(column, Mapping) else column)[i]
            outputs.append({**key, **row})
            scores.append({**key, "metric": metric, "value": value})
    imported = kind == "import"
    manifest = {
        "kind": kind,
        "tasks": {
            task: {
                "version": None if imported else "1",
                "n": max(map(len, values.values())),
                "metrics": {metric: dict(info or OWN)},
            }
        },
        "variants": {v: {"has_adapter": None if imported else v in adapters} for v in values},
    }
    if probe is not None:
        seconds = dict(probe) if isinstance(probe, Mapping) else dict.fromkeys(values, probe)
        manifest["probe"] = {"tasks": {task: probed(seconds)}}
    return Run(None, manifest, outputs_table(outputs), scores_table(scores))


def probed(seconds: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    ids = [f"s{i:05d}" for i in range(max(map(len, seconds.values())))]
    return {"sample_id": ids, "latency_s": {v: list(x) for v, x in seconds.items()}}


def joined(*runs: Run) -> Run:
    """Runs of different tasks as one."""
    import pyarrow as pa

    tasks = {name: task for run in runs for name, task in run.manifest["tasks"].items()}
    variants = {name: entry for run in runs for name, entry in run.manifest["variants"].items()}
    manifest = {**runs[0].manifest, "tasks": tasks, "variants": variants}
    outputs = pa.concat_tables([run.outputs for run in runs])
    return Run(None, manifest, outputs, pa.concat_tables([run.scores for run in runs]))


def rules(candidate: str, *made: Mapping[str, Any], **options: Any) -> RuleSet:
    return parse_rules({"candidate": candidate, "rule": list(made), **options}, where="test")


def superior(versus: str = "b", margin: float = 0.0, **options: Any) -> dict[str, Any]:
    return {"metric": "m", "role": "superior", "versus": versus, "margin": margin, **options}


def non_inferior(versus: str = "b", margin: float = 0.1, **options: Any) -> dict[str, Any]:
    return {"metric": "m", "role": "non_inferior", "versus": versus, "margin": margin, **options}


def guardrail(metric: str = "m", **options: Any) -> dict[str, Any]:
    return {"metric": metric, "role": "guardrail", **options}
