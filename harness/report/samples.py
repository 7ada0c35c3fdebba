"""The samples as compressed JSON inside the page, in blocks that are decoded when looked at.

Three kinds of block: one ``index`` (ids and every score, by column), and for each
``BLOCK_SIZE`` samples one ``text`` (what the table shows and the search reads) and one
``detail`` (what only an opened sample shows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report import kept as keeping
from harness.report.blocks import Block, pack_all
from harness.report.columns import (
    Keys,
    by_slice,
    columns,
    key_columns,
    rows_of,
    score_columns,
)
from harness.report.judged import Judged, judged_rows
from harness.report.variants import lower_is_better, metric_info

if TYPE_CHECKING:
    from harness.store.runs import Run

BLOCK_SIZE = 128
BUDGET = 38_500_000
"""Most bytes that the samples may take, so that a report stays below 40 MB."""
_TEXT = ("output", "error")
_DETAIL = ("retrieved", "latency_s", "tokens_in", "tokens_out", "cost", "finish_reason")


@dataclass(frozen=True, slots=True)
class Samples:
    n: int
    """Samples in the file."""
    total: int
    """Samples in the run."""
    blocks: tuple[Block, ...]
    """Element id and content, the index first."""
    left_out: frozenset[tuple[str, str]] = frozenset()
    """(task, sample id) of those that are not in the file."""


def samples(
    run: Run,
    rules: Sequence[Mapping[str, Any]],
    candidate: str | None,
    versus: str | None,
    *,
    metric: str | None = None,
    budget: int = BUDGET,
) -> Samples:
    """Everything that the browser of samples needs; at most ``budget`` bytes of it.

    ``candidate``, ``versus`` and ``metric``: shown at first.
    """
    every = key_columns(run.outputs, run.scores)
    chosen = keeping.chosen(every, budget, lambda part: _size(run, rules, part))
    found = _blocks(run, rules, candidate, versus, metric, chosen)
    # The choice rests on an estimate; where that was low, a smaller share is taken.
    while len(chosen) > BLOCK_SIZE and (size := sum(len(text) for _, text in found)) > budget:
        chosen = keeping.share(every, int(len(chosen) * 0.95 * budget / size))
        found = _blocks(run, rules, candidate, versus, metric, chosen)
    left_out = frozenset(every) - frozenset(chosen)
    return Samples(len(chosen), len(every), tuple(found), left_out)


def _size(run: Run, rules: Sequence[Mapping[str, Any]], keys: Keys) -> int:
    return sum(len(text) for _, text in _blocks(run, rules, None, None, None, keys))


def _blocks(
    run: Run,
    rules: Sequence[Mapping[str, Any]],
    candidate: str | None,
    versus: str | None,
    metric: str | None,
    keys: Keys,
) -> list[Block]:
    outputs, scores = (columns(table, keys) for table in (run.outputs, run.scores))
    variants = list(
        dict.fromkeys([*run.manifest["variants"], *outputs["variant"], *scores["variant"]])
    )
    metrics = list(dict.fromkeys(scores["metric"]))
    values, reasons = score_columns(scores, keys, variants, metrics)
    rows = rows_of(outputs, keys, variants)
    judged = judged_rows(run, keys, variants)
    index = {
        **_names(run, rules, keys, variants, scores),
        "candidate": variants.index(candidate) if candidate in variants else 0,
        "versus": variants.index(versus) if versus in variants else -1,
        "metric": metrics.index(metric) if metric in metrics else 0,
        "blockSize": BLOCK_SIZE,
        "scores": values,
        "slices": by_slice(outputs, rows),
    }
    parts = [slice(at, at + BLOCK_SIZE) for at in range(0, len(keys), BLOCK_SIZE)]
    texts = [list(_texts(outputs, rows[p], reasons[p])) for p in parts]
    details = [list(_details(outputs, rows[p], judged[p] if judged else None)) for p in parts]
    names = [f"{kind}-{i}" for kind in ("text", "detail") for i in range(len(parts))]
    return list(zip(["index", *names], pack_all([index, *texts, *details]), strict=True))


def _names(
    run: Run,
    rules: Sequence[Mapping[str, Any]],
    keys: Keys,
    variants: Sequence[str],
    scores: Mapping[str, list[Any]],
) -> dict[str, Any]:
    """What is called how, and what is known of each metric."""
    tasks = list(dict.fromkeys(task for task, _ in keys))
    task_at = {task: i for i, task in enumerate(tasks)}
    held: dict[str, dict[str, None]] = {}
    for task, metric in zip(scores["task"], scores["metric"], strict=True):
        held.setdefault(metric, {})[task] = None
    return {
        "tasks": tasks,
        "variants": list(variants),
        "metrics": list(held),
        "lower": [lower_is_better(run.manifest, rules, next(iter(held[m])), m) for m in held],
        "about": [_about(metric_info(run.manifest, next(iter(held[m])), m)) for m in held],
        "inTask": [[task_at[task] for task in found] for found in held.values()],
        "ids": [sample_id for _, sample_id in keys],
        "task": [task_at[task] for task, _ in keys],
    }


def _about(info: Mapping[str, Any]) -> dict[str, Any]:
    """``right``: the value from which an answer counts as right; null: the range is not known."""
    low, high = info.get("low"), info.get("high")
    middle = None if low is None or high is None else (low + high) / 2
    return {"definition": info.get("definition"), "right": middle}


def _texts(
    outputs: Mapping[str, list[Any]],
    rows: Sequence[Sequence[int | None]],
    reasons: Sequence[Sequence[Any]],
) -> Iterator[dict[str, Any]]:
    for places, why in zip(rows, reasons, strict=True):
        shared = {
            name: next((outputs[name][i] for i in places if i is not None), None)
            for name in ("input", "target", "cluster", "metadata")
        }
        own = {n: [None if i is None else outputs[n][i] for i in places] for n in _TEXT}
        yield {**shared, **own, "reasons": why}


def _details(
    outputs: Mapping[str, list[Any]],
    rows: Sequence[Sequence[int | None]],
    judged: Sequence[Judged] | None,
) -> Iterator[dict[str, Any]]:
    for at, places in enumerate(rows):
        own = {n: [None if i is None else outputs[n][i] for i in places] for n in _DETAIL}
        found = {"judged": judged[at]} if judged and judged[at] else {}
        prompts = [None if i is None else _around_input(outputs, i) for i in places]
        yield {**own, "prompt": prompts, **found}


def _around_input(outputs: Mapping[str, list[Any]], i: int) -> list[str] | None:
    """The prompt's parts between its copies of the input, which the text block holds already."""
    prompt, text = outputs["prompt"][i], outputs["input"][i]
    if prompt is None:
        return None
    return prompt.split(text) if text else [prompt]
