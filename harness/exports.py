"""A run for other tools: tables, a model card's ``model-index``, MLflow, Weights & Biases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import MissingExtra, UsageError, did_you_mean
from harness.store.runs import Run
from harness.store.wide import wide
from harness.types import Summary, Verdict

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def table(run: Run) -> pa.Table:
    """Outputs and scores as one table (``store.wide``)."""
    return wide(run.outputs, run.scores)


def to_pandas(run: Run) -> pd.DataFrame:
    """``table`` as a DataFrame. Raises MissingExtra without pandas."""
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise MissingExtra("pandas", "pandas", "A DataFrame") from error
    return table(run).to_pandas()


# -------------------------------------------------------------------------- model card


def model_index(run: Run, variant: str, name: str) -> str:
    """YAML for the head of a Hugging Face model card: the means of ``variant``, as a result for
    each task.

    https://github.com/huggingface/hub-docs/blob/main/modelcard.md. Raises UsageError for a
    variant that the run does not have, or that no score of is known.
    """
    found = _means(run, variant)
    lines = ["model-index:", f"- name: {_text(name)}", "  results:"]
    for task in dict.fromkeys(s.task for s in found):
        lines += [
            "  - task:",
            "      type: text-generation",
            f"      name: {_text(task)}",
            "    dataset:",
            f"      name: {_text(task)}",
            f"      type: {_text(task)}",
            *_revision(run.manifest["tasks"].get(task) or {}),
            "    metrics:",
            *(line for s in found if s.task == task for line in _metric(s)),
        ]
    return "\n".join(lines) + "\n"


def _revision(about: Mapping[str, Any]) -> list[str]:
    sha256 = about.get("data_sha256")
    return [f"      revision: {_text(sha256)}"] if sha256 else []


def _metric(s: Summary) -> Iterator[str]:
    interval = "" if s.ci_low is None else f", {s.ci_level:.0%} interval {s.ci_low:.4g} to"
    interval += "" if s.ci_high is None or s.ci_low is None else f" {s.ci_high:.4g}"
    yield f"    - type: {_text(s.metric)}"
    yield f"      name: {_text(f'{s.metric} (n = {s.n}{interval})')}"
    yield f"      value: {s.estimate!r}"


def _text(value: str) -> str:
    """A JSON string is a YAML string."""
    return json.dumps(value, ensure_ascii=False)


def _means(run: Run, variant: str) -> list[Summary]:
    from harness.compare import summaries

    known = run.manifest["variants"]
    if variant not in known:
        raise UsageError(f"The run has no variant '{variant}'.{did_you_mean(variant, known)}")
    found = [s for s in summaries(run) if s.variant == variant and s.estimate is not None]
    if not found:
        raise UsageError(f"No score of '{variant}' is known, so there is nothing to export.")
    return found


# ---------------------------------------------------------------------------- trackers


def to_mlflow(run: Run, verdict: Verdict | None, experiment: str) -> str:
    """A run of MLflow for each variant, below one for the whole run; returns that one's id.

    Where to: as MLflow is configured (``MLFLOW_TRACKING_URI``). Raises MissingExtra.
    """
    try:
        import mlflow
    except ImportError as error:
        raise MissingExtra("mlflow-skinny", "mlflow", "Export to MLflow") from error
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=_run_name(run)) as parent:
        mlflow.set_tags(_tags(run, verdict))
        for name in run.manifest["variants"]:
            with mlflow.start_run(run_name=name, nested=True):
                mlflow.log_params(_params(run, name))
                mlflow.log_metrics(dict(_numbers(run, name)))
        if run.path is not None:
            mlflow.log_artifacts(str(run.path), artifact_path="run")
        return str(parent.info.run_id)


def to_wandb(run: Run, verdict: Verdict | None, project: str) -> str:
    """A run of Weights & Biases for each variant, in one group; returns the group's name.

    Where to: as wandb is configured (``WANDB_MODE=offline`` writes to disk alone). Raises
    MissingExtra.
    """
    try:
        import wandb
    except ImportError as error:
        raise MissingExtra("wandb", "wandb", "Export to Weights & Biases") from error
    group = _run_name(run)
    for name in run.manifest["variants"]:
        config = {**_params(run, name), **_tags(run, verdict)}
        with wandb.init(project=project, group=group, name=name, config=config) as tracked:
            tracked.summary.update(dict(_numbers(run, name)))
    return group


def _run_name(run: Run) -> str:
    suite = run.manifest.get("suite") or "imported"
    return f"{suite}-{str(run.manifest.get('fingerprint') or 'unknown')[:12]}"


def _tags(run: Run, verdict: Verdict | None) -> dict[str, str]:
    found = {
        "harness.version": str(run.manifest.get("harness_version")),
        "harness.fingerprint": str(run.manifest.get("fingerprint")),
        "harness.kind": str(run.manifest.get("kind")),
    }
    if verdict is not None:
        found["harness.verdict"] = verdict.status.value
        found["harness.recommendation"] = verdict.recommendation or ""
    return found


def _params(run: Run, variant: str) -> dict[str, str]:
    """The recipe as dotted keys; a long value is cut as MLflow has it (6,000 characters)."""
    flat: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", (run.manifest["variants"][variant] or {}).get("recipe"))]
    while stack:
        prefix, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{prefix}.{k}" if prefix else k, v) for k, v in value.items()]
        elif prefix:
            flat[prefix] = str(value)[:6000]
    return dict(sorted(flat.items()))


def _numbers(run: Run, variant: str) -> Iterator[tuple[str, float]]:
    """``task/metric``, its bounds and how many samples it rests on."""
    from harness.compare import summaries

    found: Sequence[Summary] = [s for s in summaries(run) if s.variant == variant]
    for s in found:
        key = f"{s.task}/{s.metric}"
        ends = (("", s.estimate), ("_low", s.ci_low), ("_high", s.ci_high))
        yield from ((key + end, value) for end, value in ends if value is not None)
        yield f"{key}_unscored", float(s.n_unscored)
