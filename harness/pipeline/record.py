"""The run's two tables and its manifest, in the form of docs/architecture.md."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import harness
from harness import fingerprints, models, recipes, rules
from harness.pipeline import checks
from harness.pipeline.adapters import Ready
from harness.pipeline.inputs import Inputs
from harness.pipeline.responses import Planned
from harness.store import runs
from harness.types import Completion, Metric, Sample, Score, Suite, Variant

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES = (
    *("torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets"),
    *("bert-score", "rouge-score", "sacrebleu", "bm25s", "numpy", "scipy", "pyarrow", "jsonschema"),
    *("phonenumbers", "python-stdnum"),
)


@dataclass(frozen=True)
class Answer:
    """One row of outputs.parquet with its scores."""

    planned: Planned
    completion: Completion
    scores: Mapping[str, Score]
    judgments: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Judge's metric -> its single verdicts, as rows of judgments.parquet without these keys."""


@dataclass(frozen=True)
class Measured:
    """What is known of one variant when the run ends."""

    variant: Variant
    fingerprints: Mapping[str, Any]
    adapter: Ready | None
    proof: Mapping[str, Any] | None


def tables(answers: Sequence[Answer], repeats: int) -> tuple[pa.Table, pa.Table, pa.Table | None]:
    """outputs, scores and, where there is a judge, judgments, in the order of the answers."""
    import pyarrow as pa

    outputs, scores, judgments = [], [], []
    for answer in answers:
        row = _output_row(answer, repeats)
        outputs.append(row)
        keys = {k: row[k] for k in runs.OUTPUT_KEYS}
        for metric, score in answer.scores.items():
            reason = score.reason
            if answer.completion.error is not None:
                reason = answer.completion.error
            scores.append({**keys, "metric": metric, "value": score.value, "reason": reason})
        for metric, verdicts in answer.judgments.items():
            judgments += [{**keys, "metric": metric, **verdict} for verdict in verdicts]
    judged = any(answer.judgments for answer in answers)
    return (
        pa.Table.from_pylist(outputs, schema=runs.outputs_schema()),
        pa.Table.from_pylist(scores, schema=runs.scores_schema()),
        pa.Table.from_pylist(judgments, schema=runs.judgments_schema()) if judged else None,
    )


def row_id(sample: Sample, repeat: int, repeats: int) -> str:
    """``sample_id`` of one of ``repeats`` answers to the sample."""
    return f"{sample.id}#{repeat}" if repeats > 1 else sample.id


def row_cluster(sample: Sample, repeats: int) -> str | None:
    """Answers to one sample, and turns of one conversation, are not independent of each other."""
    return sample.cluster or (sample.id if repeats > 1 or sample.follow_ups else None)


def _output_row(answer: Answer, repeats: int) -> dict[str, Any]:
    planned, completion = answer.planned, answer.completion
    sample, price = planned.sample, planned.variant.cost_per_1k_tokens
    tokens = _sum(completion.tokens_in, completion.tokens_out)
    hits = planned.conversation.retrieved
    return {
        "task": planned.inputs.task.name,
        "sample_id": row_id(sample, planned.repeat, repeats),
        "variant": planned.variant.name,
        "cluster": row_cluster(sample, repeats),
        "metadata": _json(fingerprints.plain(sample.metadata)),
        "input": sample.input if isinstance(sample.input, str) else _json(list(sample.input)),
        "target": _json(list(sample.targets)),
        "prompt": planned.request.prompt.text,
        "output": completion.text,
        "retrieved": _json([{"id": h.id, "score": h.score, "text": h.text} for h in hits]),
        "latency_s": completion.latency_s if completion.error is None else None,
        "tokens_in": completion.tokens_in,
        "tokens_out": completion.tokens_out,
        "cost": None if price is None or tokens is None else price * tokens / 1000,
        "finish_reason": completion.finish_reason,
        "error": completion.error,
    }


def _sum(one: int | None, other: int | None) -> int | None:
    """None where either is not known: half a price would look like a bargain."""
    return None if one is None or other is None else one + other


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def manifest(
    suite: Suite,
    inputs: Sequence[Inputs],
    measured: Sequence[Measured],
    *,
    seed: int,
    limit: int | None,
    repeats: int,
    device: str,
    command: Sequence[str],
    timings: Mapping[str, float],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """run.json without what only the writer knows (schema version, file hashes)."""
    tasks = {i.task.name: _task(i) for i in inputs}
    variants = {m.variant.name: _variant(m) for m in measured}
    identity = {
        "tasks": tasks,
        "variants": {name: [v["recipe"], v["fingerprints"]] for name, v in variants.items()},
        "seed": seed,
        "limit": limit,
        "repeats": repeats,
        "harness": harness.__version__,
    }
    return {
        "kind": "run",
        "harness_version": harness.__version__,
        "suite": suite.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "limit": limit,
        "repeats": repeats,
        "command": list(command),
        "fingerprint": fingerprints.of(identity),
        "tasks": tasks,
        "variants": variants,
        "not_measured": {
            v.name: {"has_adapter": v.adapter is not None}
            for v in suite.variants
            if v.name not in variants
        },
        "rules": rules.rules_to_dict(suite.rules) if suite.rules else None,
        "training": _training(measured),
        "environment": environment(device),
        "timings": {k: round(v, 2) for k, v in timings.items()},
        "warnings": list(warnings),
    }


def _task(inputs: Inputs) -> dict[str, Any]:
    task, data = inputs.task, inputs.data
    metrics: list[Metric] = [m for s in inputs.scorers for m in s.metrics]
    return {
        "version": task.version,
        "n": checks.rows(data.eval),
        "n_train": len(data.train),
        "n_corpus": len(data.corpus),
        "data_sha256": inputs.data_sha256,
        "train_sha256": fingerprints.of(data.train),
        "corpus_sha256": fingerprints.of(data.corpus),
        "system": task.system,
        "prompt": task.prompt,
        "passages": task.passages,
        "max_new_tokens": task.max_new_tokens,
        "metrics": {
            m.name: {k: v for k, v in fingerprints.plain(m).items() if k != "name"} for m in metrics
        },
    }


def _variant(measured: Measured) -> dict[str, Any]:
    variant = measured.variant
    return {
        "has_adapter": variant.adapter is not None,
        "has_retriever": variant.retriever is not None,
        "recipe": recipes.variant_to_dict(variant),
        "fingerprints": dict(measured.fingerprints),
        "proof": None if measured.proof is None else dict(measured.proof),
    }


def _training(measured: Sequence[Measured]) -> dict[str, Any]:
    """Cards of the adapters, each once, with the variants that use it."""
    found: dict[str, Any] = {}
    for one in measured:
        if one.adapter is None or one.adapter.sha256 is None or not one.adapter.card:
            continue
        entry = found.setdefault(one.adapter.sha256, {"variants": [], **one.adapter.card})
        entry["variants"].append(one.variant.name)
    return found


def environment(device: str) -> dict[str, Any]:
    """What ran it: interpreter, platform, device and package versions."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "peak_memory_bytes": _peak_memory(),
        "packages": models.versions(PACKAGES),
    }


def _peak_memory() -> int | None:
    """Most memory this process has held, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
