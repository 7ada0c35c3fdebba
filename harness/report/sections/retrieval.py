"""Whether retrieval finds what an answer needs, and what answers are worth where it does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.report.axis import axis
from harness.report.forest import Bar, draw
from harness.report.material import Material
from harness.report.words import interval, number, percent

TITLE = "Retrieval"
CHAPTER = "variants"


@dataclass(frozen=True, slots=True)
class Found:
    task: str
    variant: str
    n: int
    """Samples with passages and a target; one for which nothing was found is among them."""
    passages: str
    first: str
    """Share whose first passage holds a target."""
    any: str
    """Share of which any passage does."""
    interval: str
    bar: Bar
    rank: str
    """Mean reciprocal rank of the first passage that does."""
    metric: str
    with_it: str
    """Mean of ``metric`` where a passage holds a target."""
    without: str
    same_as: str = ""
    """A variant whose passages are the same for every sample."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    rows: tuple[Found, ...]
    level: str


def section(material: Material) -> Retrieval | None:
    columns = ("task", "variant", "sample_id", "target", "retrieved")
    outputs = material.run.outputs
    if outputs["retrieved"].null_count == len(outputs):
        return None
    groups: dict[tuple[str, str], list[tuple[str, str | None, str]]] = {}
    for task, variant, sample, target, found in zip(
        *(outputs[name].to_pylist() for name in columns), strict=True
    ):
        if found is not None:
            groups.setdefault((task, variant), []).append((sample, target, found))
    # Of a variant that does not search, a measured run tells no passages for every sample.
    groups = {key: rows for key, rows in groups.items() if any(r != "[]" for *_, r in rows)}
    values = _values(material, {task: material.leading(task) for task, _ in groups})
    rows = []
    seen: dict[tuple[Any, ...], str] = {}
    for (task, variant), samples in groups.items():
        same = seen.setdefault((task, *sorted(samples, key=lambda x: x[0])), variant)
        row = _row(material, task, variant, samples, values)
        if row is not None:
            rows.append(row if same == variant else replace(row, same_as=same))
    return Retrieval(tuple(rows), percent(1 - 2 * material.alpha)) if rows else None


def _values(
    material: Material, metrics: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str, str], float]:
    """Score by task, variant and sample, of each task's leading metric."""
    first = {task: names[0] for task, names in metrics.items() if names}
    scores = material.run.scores
    names = ("task", "variant", "sample_id", "metric", "value")
    return {
        (task, variant, sample): value
        for task, variant, sample, metric, value in zip(
            *(scores[name].to_pylist() for name in names), strict=True
        )
        if value is not None and first.get(task) == metric
    }


def _row(
    material: Material,
    task: str,
    variant: str,
    samples: Sequence[tuple[str, str | None, str]],
    values: Mapping[tuple[str, str, str], float],
) -> Found | None:
    ranks, sizes = [], []
    groups: dict[bool, list[float]] = {True: [], False: []}
    for sample, target, retrieved in samples:
        wanted, passages = _texts(target), _passages(retrieved)
        if not wanted:
            continue
        rank = next((i for i, text in enumerate(passages, 1) if _holds(text, wanted)), 0)
        ranks.append(rank)
        sizes.append(len(passages))
        if (value := values.get((task, variant, sample))) is not None:
            groups[rank > 0].append(value)
    if not ranks:
        return None
    n, hits = len(ranks), sum(r > 0 for r in ranks)
    low, high = _interval([float(r > 0) for r in ranks], material.alpha)
    return Found(
        task=task,
        variant=variant,
        n=n,
        passages=number(sum(sizes) / n, decimals=1),
        first=f"{sum(r == 1 for r in ranks) / n:.1%}",
        any=f"{hits / n:.1%}",
        interval=interval(low, high),
        bar=draw("plain", hits / n, low, high, axis([0.0, 1.0], pad=0.02)),
        rank=number(sum(1 / r for r in ranks if r) / n),
        metric=next(iter(material.leading(task)), ""),
        with_it=_mean(groups[True]),
        without=_mean(groups[False]),
    )


def _mean(values: Sequence[float]) -> str:
    return f"{number(sum(values) / len(values))} (n = {len(values):,})" if values else "none"


def _interval(hits: Sequence[float], alpha: float) -> tuple[float | None, float | None]:
    import numpy as np

    from harness.stats.intervals import NoInterval, Scale, own_interval

    try:
        found = own_interval(np.array(hits), Scale(0.0, 1.0, True), alpha)
    except NoInterval:
        return None, None
    return (found.low, found.high) if len(hits) > 1 else (None, None)


def _texts(target: str | None) -> list[re.Pattern[str]]:
    """Each text of a target as words in order, whatever stands between them."""
    try:
        found: Any = json.loads(target) if target else []
    except ValueError:
        found = [target]
    texts = found if isinstance(found, list) else [found]
    words = [re.findall(r"\w+", str(text).casefold()) for text in texts]
    return [re.compile(r"\b" + r"\W+".join(map(re.escape, w)) + r"\b") for w in words if w]


def _passages(retrieved: str) -> list[str]:
    try:
        found = json.loads(retrieved)
    except ValueError:
        return []
    rows = found if isinstance(found, list) else []
    return [str(p.get("text") or "").casefold() for p in rows if isinstance(p, dict)]


def _holds(text: str, wanted: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.search(text) for pattern in wanted)
