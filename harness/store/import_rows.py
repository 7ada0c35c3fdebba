"""One imported row: what it may hold, and the sentence about what is wrong with it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from harness.errors import DataError, did_you_mean

TEXTS = ("sample_id", "variant", "task", "cluster", "input", "target", "output")
AMOUNTS = ("latency_s", "cost")
KEYS = (
    *("sample_id", "variant", "scores", "task", "cluster", "metadata"),
    *("input", "target", "output", "latency_s", "cost"),
)
REQUIRED = ("sample_id", "variant")
NAMES = (*REQUIRED, "task", "cluster")
"""Texts that must not be empty."""
DEFAULT_TASK = "default"
RESERVED = ("best",)
"""Names that rules give a meaning of their own."""
NEAR = 0.75
"""An unknown key this similar to a known one is taken for a slip, not for an extra."""


def is_slip(key: str) -> bool:
    return bool(difflib.get_close_matches(key, KEYS, n=1, cutoff=NEAR))


def check_row(row: Mapping[str, Any], where: str) -> None:
    """Raise DataError, naming ``where``, for the first thing that is wrong with a row."""
    for key in row.keys() - set(KEYS):
        if is_slip(key):
            raise DataError(f"{where}: unknown key '{key}'.{did_you_mean(key, KEYS)}")
    for key in (*REQUIRED, "scores"):
        if key not in row:
            raise DataError(f"{where}: the key '{key}' is missing.")
    for key in TEXTS:
        _check_text(row.get(key), key, where)
    if row["variant"] in RESERVED:
        raise DataError(f"{where}: a variant cannot be called '{row['variant']}': rules use it.")
    metadata = row.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise DataError(f"{where}: 'metadata' must be an object, got {kind(metadata)}.")
    _check_scores(row["scores"], where)
    for key in AMOUNTS:
        value = row.get(key)
        _check_number(value, f"'{key}'", where)
        if value is not None and value < 0:
            raise DataError(f"{where}: '{key}' must not be negative, got {value:g}.")


def _check_text(value: Any, key: str, where: str) -> None:
    if value is None and key not in REQUIRED:
        return
    if not isinstance(value, str):
        raise DataError(f"{where}: '{key}' must be a string, got {kind(value)}.")
    if not value and key in NAMES:
        raise DataError(f"{where}: '{key}' is empty.")


def _check_scores(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise DataError(f"{where}: 'scores' must be an object, got {kind(value)}.")
    for metric, score in value.items():
        if not metric:
            raise DataError(f"{where}: a metric has an empty name.")
        _check_number(score, f"the score '{metric}'", where)


def _check_number(value: Any, what: str, where: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{where}: {what} must be a number or null, got {kind(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"{where}: {what} is too large to be a number; null means unscored.")


def kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), f"the number {value}")
