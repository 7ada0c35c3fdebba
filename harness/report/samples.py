"""The samples as compressed JSON inside the page, in blocks that are decoded when looked at.

Three kinds of block: one ``index`` (ids and every score, by column), and for each
``BLOCK_SIZE`` samples one ``text`` (what the table shows and the search reads) and one
``detail`` (what only an opened sample shows). Each is zlib's format (``deflate`` of the
browsers' DecompressionStream) in base64, whose alphabet cannot end a script element.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.variants import lower_is_better

if TYPE_CHECKING:
    from harness.store.runs import Run

BLOCK_SIZE = 128
_TEXT = ("output", "error")
_DETAIL = ("retrieved", "latency_s", "tokens_in", "tokens_out", "cost", "finish_reason")


@dataclass(frozen=True, slots=True)
class Samples:
    n: int
    blocks: tuple[tuple[str, str], ...]
    """Element id and content, the index first."""


def samples(
    run: Run, rules: Sequence[Mapping[str, Any]], candidate: str | None, versus: str | None
) -> Samples:
    """Everything the sample browser needs. ``candidate`` and ``versus``: shown at first."""
    outputs = _columns(run.outputs)
    scores = _columns(run.scores)
    keys = _keys(outputs, scores)
    variants = list(
        dict.fromkeys([*run.manifest["variants"], *outputs["variant"], *scores["variant"]])
    )
    metrics = list(dict.fromkeys(scores["metric"]))
    tasks = list(dict.fromkeys(task for task, _ in keys))
    values, reasons = _scores(scores, keys, variants, metrics)
    known_task = {m: t for t, m in zip(scores["task"], scores["metric"], strict=True)}
    index = {
        "tasks": tasks,
        "variants": variants,
        "metrics": metrics,
        "lower": [lower_is_better(run.manifest, rules, known_task[m], m) for m in metrics],
        "candidate": variants.index(candidate) if candidate in variants else 0,
        "versus": variants.index(versus) if versus in variants else -1,
        "blockSize": BLOCK_SIZE,
        "ids": [sample_id for _, sample_id in keys],
        "task": [tasks.index(task) for task, _ in keys],
        "scores": values,
        "inTask": [_has_metric(scores, tasks, m) for m in metrics],
    }
    rows = _rows(outputs, keys, variants)
    blocks = [("index", _pack(index))]
    for number, start in enumerate(range(0, len(keys), BLOCK_SIZE)):
        part = rows[start : start + BLOCK_SIZE]
        why = reasons[start : start + BLOCK_SIZE]
        blocks.append((f"text-{number}", _pack(list(_texts(outputs, part, why)))))
        blocks.append((f"detail-{number}", _pack(list(_details(outputs, part)))))
    return Samples(len(keys), tuple(blocks))


def _columns(table: Any) -> dict[str, list[Any]]:
    return {name: table[name].to_pylist() for name in table.column_names}


def _keys(*tables: Mapping[str, list[Any]]) -> dict[tuple[str, str], int]:
    """(task, sample id) to position, in the order of first appearance."""
    keys: dict[tuple[str, str], int] = {}
    for table in tables:
        for key in zip(table["task"], table["sample_id"], strict=True):
            keys.setdefault(key, len(keys))
    return keys


def _scores(
    scores: Mapping[str, list[Any]],
    keys: Mapping[tuple[str, str], int],
    variants: Sequence[str],
    metrics: Sequence[str],
) -> tuple[list[list[list[float | None]]], list[list[list[Any]]]]:
    """Values as [metric][variant][sample], and for each sample its [metric, variant, reason]."""
    values: list[list[list[float | None]]] = [
        [[None] * len(keys) for _ in variants] for _ in metrics
    ]
    reasons: list[list[list[Any]]] = [[] for _ in keys]
    variant_at = {v: i for i, v in enumerate(variants)}
    metric_at = {m: i for i, m in enumerate(metrics)}
    names = ("task", "sample_id", "variant", "metric", "value", "reason")
    for task, sample_id, variant, metric, value, reason in zip(
        *(scores[n] for n in names), strict=True
    ):
        i, m, v = keys[task, sample_id], metric_at[metric], variant_at[variant]
        if value is None or not math.isfinite(value):
            reasons[i].append([m, v, reason or "no reason recorded"])
        else:
            values[m][v][i] = int(value) if value == int(value) else value
    return values, reasons


def _has_metric(scores: Mapping[str, list[Any]], tasks: Sequence[str], metric: str) -> list[int]:
    found = {t for t, m in zip(scores["task"], scores["metric"], strict=True) if m == metric}
    return [i for i, task in enumerate(tasks) if task in found]


def _rows(
    outputs: Mapping[str, list[Any]],
    keys: Mapping[tuple[str, str], int],
    variants: Sequence[str],
) -> list[list[int | None]]:
    """For each sample the row of ``outputs`` of each variant; None: no row."""
    rows: list[list[int | None]] = [[None] * len(variants) for _ in keys]
    variant_at = {v: i for i, v in enumerate(variants)}
    names = ("task", "sample_id", "variant")
    for i, (task, sample_id, variant) in enumerate(zip(*(outputs[n] for n in names), strict=True)):
        rows[keys[task, sample_id]][variant_at[variant]] = i
    return rows


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
    outputs: Mapping[str, list[Any]], rows: Sequence[Sequence[int | None]]
) -> Iterator[dict[str, Any]]:
    for places in rows:
        own = {n: [None if i is None else outputs[n][i] for i in places] for n in _DETAIL}
        yield {**own, "prompt": [None if i is None else _around_input(outputs, i) for i in places]}


def _around_input(outputs: Mapping[str, list[Any]], i: int) -> list[str] | None:
    """The prompt's parts between its copies of the input, which the text block holds already."""
    prompt, text = outputs["prompt"][i], outputs["input"][i]
    if prompt is None:
        return None
    return prompt.split(text) if text else [prompt]


def _pack(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode("ascii")
