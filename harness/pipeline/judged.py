"""What run.json tells of its judges: who they are, how far to trust them, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.judging import calibration
from harness.judging.models import JudgeModel
from harness.judging.panel import Panel
from harness.pipeline.judging import Bench, judges
from harness.scorers.judge import Judge
from harness.stats.length_control import length_controlled
from harness.types import Variant

if TYPE_CHECKING:
    from harness.pipeline.inputs import Inputs
    from harness.pipeline.record import Answer


def calibrations(inputs: Sequence[Inputs]) -> dict[str, dict[str, dict[str, Any]]]:
    """Task -> metric -> whether the judge may gate there (``calibration.verdict``)."""
    return {
        one.task.name: {
            judge.name: calibration.verdict(
                calibration.read(judge.calibration_file), judge.bond, judge.floor
            )
            for judge in judges(one.scorers)
        }
        for one in inputs
    }


def about(
    bench: Bench,
    inputs: Sequence[Inputs],
    variants: Sequence[Variant],
    done: Sequence[Answer],
    verdicts: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any] | None:
    """``judges`` of run.json; None where there are none. ``verdicts``: as ``calibrations``."""
    found: dict[str, Any] = {}
    keys: dict[tuple[str, ...], str] = {}
    for one in inputs:
        for judge in judges(one.scorers):
            # Two tasks may mean different judges by one metric.
            who = (judge.name, judge.bond.sha256, str(judge.versus), str(judge.calibration_file))
            if who not in keys:
                task = one.task.name
                keys[who] = judge.name if judge.name not in found else f"{judge.name} ({task})"
                verdict = verdicts[task][judge.name]
                found[keys[who]] = _entry(judge, bench.panel(judge), verdict, variants)
            if judge.versus is not None:
                lengths = found[keys[who]]["length_controlled"]
                lengths[one.task.name] = _length_controlled(judge, one.task.name, done)
    return found or None


def _entry(
    judge: Judge, panel: Panel, verdict: Mapping[str, Any], variants: Sequence[Variant]
) -> dict[str, Any]:
    bond, spent = judge.bond, panel.spent
    return {
        "kind": judge.loaded.kind,
        "rubric": judge.loaded.name,
        "rubric_text": judge.loaded.text,
        **{k: v for k, v in bond.parts.items() if k != "repeats"},
        "judges": [
            {
                "name": model.title,
                "model": model.model,
                "base_url": model.base_url,
                "same_as_subject": same_as(model, variants),
            }
            for model in judge.models
        ],
        "versus": judge.versus,
        "repeats": judge.repeats,
        "calibration": {key: value for key, value in verdict.items() if key != "probes"},
        "probes": verdict.get("probes"),
        "calls": spent.fresh,
        "cached": spent.cached,
        "shared": spent.shared,
        "failed": spent.failed,
        "tokens_in": spent.tokens_in,
        "tokens_out": spent.tokens_out,
        "cost": spent.cost,
        "length_controlled": None if judge.versus is None else {},
    }


def same_as(model: JudgeModel, variants: Sequence[Variant]) -> list[str]:
    """Names of the variants whose base the judge is, by name: judges favour their own answers
    (Panickssery et al. 2024, arXiv 2404.13076)."""
    return [variant.name for variant in variants if _stem(variant.model) == _stem(model.model)]


def _stem(reference: str) -> str:
    last = reference.rstrip("/").replace("#", "/").replace(":", "/").split("/")[-1].lower()
    return last.removesuffix(".gguf")


def warnings(judged: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each judge that is its own subject, and for verdicts that never came."""
    found = []
    for metric, entry in (judged or {}).items():
        for judge in entry["judges"]:
            if judge["same_as_subject"]:
                found.append(
                    f"{metric}: the judge '{judge['name']}' is the model of "
                    f"{', '.join(judge['same_as_subject'])}, and judges favour what they would "
                    "have written themselves. Take another model as judge."
                )
        reason = entry["calibration"].get("reason")
        if reason:
            found.append(
                f"{metric}: {reason}. Its rules gate only with a calibration: harness judge "
                "calibrate"
            )
    return found


def _length_controlled(judge: Judge, task: str, done: Sequence[Answer]) -> dict[str, Any]:
    """Variant -> win rate against ``judge.versus``, raw and at equal length."""
    rows: dict[str, dict[tuple[str, int], tuple[float | None, int]]] = {}
    for answer in done:
        planned, text = answer.planned, answer.completion.text
        if planned.inputs.task.name == task and text is not None:
            score = answer.scores.get(judge.name)
            rows.setdefault(planned.variant.name, {})[planned.sample.id, planned.repeat] = (
                None if score is None else score.value,
                len(text),
            )
    theirs = rows.get(str(judge.versus), {})
    found = {}
    for name, mine in rows.items():
        known = [k for k, (value, _) in mine.items() if value is not None and k in theirs]
        if name == judge.versus or len(known) < 2:
            continue
        made = length_controlled(
            np.array([mine[k][0] for k in known], float),
            np.array([mine[k][1] for k in known], float),
            np.array([theirs[k][1] for k in known], float),
        )
        found[name] = {
            "win_rate": made.raw,
            "length_controlled_win_rate": made.win_rate,
            "length_controlled_se": made.se,
            "length_weight": made.length_weight,
            "n": made.n,
        }
    return found
