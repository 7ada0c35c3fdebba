"""Arrow tables as the columns and places that the page's blocks are made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Keys = Mapping[tuple[str, str], int]
"""(task, sample id) to position."""

MOST_KEYS, MOST_VALUES = 12, 30
"""Metadata keys to filter by, and the most values that one may have to be worth it."""


def key_columns(*tables: Any) -> dict[tuple[str, str], int]:
    """Every sample of the tables, in the order of first appearance."""
    keys: dict[tuple[str, str], int] = {}
    for table in tables:
        names = (table["task"].to_pylist(), table["sample_id"].to_pylist())
        for key in zip(*names, strict=True):
            keys.setdefault(key, len(keys))
    return keys


def columns(table: Any, keys: Keys) -> dict[str, list[Any]]:
    """The rows of ``table`` whose sample is among ``keys``, by column."""
    import pyarrow as pa

    names = (table["task"].to_pylist(), table["sample_id"].to_pylist())
    mask = [key in keys for key in zip(*names, strict=True)]
    kept = table if all(mask) else table.filter(pa.array(mask, pa.bool_()))
    return {name: kept[name].to_pylist() for name in kept.column_names}


def score_columns(
    scores: Mapping[str, list[Any]], keys: Keys, variants: Sequence[str], metrics: Sequence[str]
) -> tuple[list[list[list[float | None]]], list[list[list[Any]]]]:
    """Values as [metric][variant][sample], and for each sample its [metric, variant, reason].

    A reason says why there is no value, or explains the one there is.
    """
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
        lost = value is None or not math.isfinite(value)
        if lost or reason:
            reasons[i].append([m, v, reason or "no reason recorded"])
        if not lost:
            values[m][v][i] = int(value) if value == int(value) else value
    return values, reasons


def rows_of(
    outputs: Mapping[str, list[Any]], keys: Keys, variants: Sequence[str]
) -> list[list[int | None]]:
    """For each sample the row of ``outputs`` of each variant; None: no row."""
    rows: list[list[int | None]] = [[None] * len(variants) for _ in keys]
    variant_at = {v: i for i, v in enumerate(variants)}
    names = ("task", "sample_id", "variant")
    for i, (task, sample_id, variant) in enumerate(zip(*(outputs[n] for n in names), strict=True)):
        rows[keys[task, sample_id]][variant_at[variant]] = i
    return rows


def by_slice(
    outputs: Mapping[str, list[Any]], rows: Sequence[Sequence[int | None]]
) -> dict[str, dict[str, Any]]:
    """Metadata key -> its values and which of them each sample has (-1: none)."""
    found = [_metadata(outputs, places) for places in rows]
    told = dict.fromkeys(key for about in found for key in about)
    slices: dict[str, dict[str, Any]] = {}
    for key in told:
        at: dict[str, int] = {}
        codes = [at.setdefault(about[key], len(at)) if key in about else -1 for about in found]
        if 2 <= len(at) <= MOST_VALUES and len(slices) < MOST_KEYS:
            slices[key] = {"values": list(at), "codes": codes}
    return slices


def _metadata(outputs: Mapping[str, list[Any]], places: Sequence[int | None]) -> dict[str, str]:
    """The metadata of a sample that are plain values, as texts."""
    text = next((outputs["metadata"][i] for i in places if i is not None), None)
    try:
        about = json.loads(text) if text else {}
    except ValueError:
        return {}
    if not isinstance(about, dict):
        return {}
    plain = {k: v for k, v in about.items() if isinstance(v, (str, int, float, bool))}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in plain.items()}
