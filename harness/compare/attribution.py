"""What retrieval adds, what the adapter adds, what both add, and what they add to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.aligned import MetricInfo, TaskData, index
from harness.compare.comparisons import Outcome, attempt
from harness.compare.contrasts import INTERACTION, Contrast, contrasts
from harness.compare.pairs import clusters_of, pair
from harness.stats.intervals import Scale, difference_interval
from harness.store.runs import Run


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect on one metric of one task. Positive is better."""

    task: str
    metric: str
    name: str
    """``retrieval alone``, ``adapter alone``, ``both`` or ``interaction``."""
    estimate: float | None
    """Mean over the scored samples; None: there is none."""
    ci_low: float | None
    ci_high: float | None
    ci_level: float
    n: int
    """Samples that every one of ``variants`` scored."""
    n_unscored: int
    """Samples that one of them lacks: in no estimate."""
    method: str
    """The inference method, or why there is none."""
    variants: tuple[str, ...]
    """Of two: the first minus the second. Of four: first - second - third + fourth."""
    note: str | None
    """What else than its name is in the effect."""


def attribution(run: Run, alpha: float = 0.05) -> list[Effect]:
    """The effects that the variants of ``run`` tell apart, for every task and metric.

    The two-by-two factorial contrasts, paired by sample, among variants that agree in model,
    system prompt, shots and generation: with R the variant that retrieves, A the one with an
    adapter and RA the one with both, ``retrieval alone`` is R - base, ``adapter alone`` A - base,
    ``both`` RA - base, and ``interaction`` RA - A - R + base (Box, Hunter & Hunter 2005,
    "Statistics for Experimenters", chapter 5, in units of the metric: what both add beyond the
    sum of what each adds). Where one of the four was not measured, those that need it are left
    out. Intervals are two-sided 1 - 2*alpha, each effect by itself: no correction is made for
    how many there are. Raises RunError for a run that contradicts itself (doubled rows).
    """
    wanted = contrasts(run.manifest["variants"])
    if not wanted:
        return []
    return [
        _effect(run.manifest, task, task.infos[metric], contrast, alpha)
        for task in index(run).values()
        for metric in task.scored_metrics
        for contrast in wanted
        if all(task.touched[task.row(v)].any() for v in (*contrast.plus, *contrast.minus))
    ]


def _effect(
    manifest: Mapping[str, Any], task: TaskData, info: MetricInfo, contrast: Contrast, alpha: float
) -> Effect:
    names = (*contrast.plus, *contrast.minus)
    rows = [task.row(v) for v in names]
    at = np.flatnonzero(task.touched[rows].any(axis=0))
    higher = info.higher_is_better is not False
    scale = info.scale if higher else info.scale.flipped()
    values = (1.0 if higher else -1.0) * task.values[info.name][:, at]
    up, down = (
        values[[task.row(v) for v in side]].sum(axis=0) for side in (contrast.plus, contrast.minus)
    )
    if contrast.name == INTERACTION:
        scale = _doubled(scale)
    clusters = clusters_of(task, tuple(rows), at)
    scored = ~np.isnan(up) & ~np.isnan(down)
    n = int(scored.sum())
    outcome = Outcome(None, _differs(task, info, names))
    if not outcome.method:
        outcome = attempt(
            n,
            None if clusters is None else clusters[scored],
            lambda: difference_interval(up, down, scale, alpha, clusters),
        )
    low, high = outcome.bounds
    return Effect(
        task=task.name,
        metric=info.name,
        name=contrast.name,
        estimate=float((up - down)[scored].mean()) if n else None,
        ci_low=low,
        ci_high=high,
        ci_level=1 - 2 * alpha,
        n=n,
        n_unscored=len(at) - n,
        method=outcome.method,
        variants=_in_order(contrast),
        note="; ".join(_notes(manifest, task.name, contrast)) or None,
    )


def _doubled(scale: Scale) -> Scale:
    """Of the sum of two values."""
    low, high = (None if end is None else 2 * end for end in (scale.low, scale.high))
    return Scale(low, high)


def _differs(task: TaskData, info: MetricInfo, names: tuple[str, ...]) -> str:
    """What should be the same for all of the variants and is not; empty: nothing."""
    found = [d for v in names[1:] for d in pair(task, names[0], v, info).differs]
    return "; ".join(dict.fromkeys(found))


def _in_order(contrast: Contrast) -> tuple[str, ...]:
    if contrast.name != INTERACTION:
        return (*contrast.plus, *contrast.minus)
    (both, base), (adapter, retrieval) = contrast.plus, contrast.minus
    return both, adapter, retrieval, base


def _notes(manifest: Mapping[str, Any], task: str, contrast: Contrast) -> list[str]:
    about = manifest["tasks"].get(task) or {}
    notes = list(contrast.notes)
    if contrast.retrieves and about.get("n_corpus") == 0:
        notes.append(f"task '{task}' has no corpus: nothing was retrieved")
    return notes
