"""Human labels and recorded verdicts: JSON lines, read strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import read_jsonl
from harness.errors import DataError
from harness.judging.agreement import HUMAN, Pair
from harness.judging.rubric import HIGH, LOW, Kind

_MOST = 80


@dataclass(frozen=True)
class Label:
    """What a person said of an answer (``variant`` or text), or of two."""

    where: str
    """File and line."""
    sample: str
    human: Any
    task: str | None
    variants: tuple[str, ...] | None
    """Of a run; None: the texts are given."""
    question: str
    answers: tuple[str, ...]
    target: str | None


def judgments(file: Path) -> dict[str, list[Pair]]:
    """Judge -> its recorded verdicts. Raises DataError with file and line."""
    found: dict[str, list[Pair]] = {}
    seen: set[tuple[str, str]] = set()
    for where, row in _objects(file):
        sample, judge = _text(where, row, "sample_id"), _text(where, row, "judge")
        human = row.get("human")
        if not isinstance(human, str) or human not in HUMAN:
            raise DataError(f"{where}: 'human' must be '1', '2' or 'tie', got {_said(human)}.")
        for key in ("forward", "swapped"):
            if key not in row:
                raise DataError(f"{where}: '{key}' is missing. An unparseable verdict is null.")
        if (judge, sample) in seen:
            raise DataError(
                f"{where}: '{judge}' has judged sample '{sample}' before. Keep one row."
            )
        seen.add((judge, sample))
        read = [_verdict(row[key]) for key in ("forward", "swapped")]
        found.setdefault(judge, []).append(Pair(sample, human, read[0], read[1]))
    return found


def _verdict(value: Any) -> str | None:
    return value if isinstance(value, str) and value in HUMAN else None


def labels(file: Path, kind: Kind) -> list[Label]:
    """Raises DataError with file and line."""
    found: list[Label] = []
    seen: dict[tuple[Any, ...], str] = {}
    for where, row in _objects(file):
        label = _label(where, row, kind)
        key = (label.task, label.sample, label.variants, label.question, label.answers)
        if key in seen:
            raise DataError(f"{where}: the same answer was labelled in {seen[key]}. Keep one row.")
        seen[key] = where
        found.append(label)
    return found


def _label(where: str, row: Mapping[str, Any], kind: Kind) -> Label:
    human = row.get("human")
    if kind == "pointwise":
        if type(human) is not int or not LOW <= human <= HIGH:
            raise DataError(
                f"{where}: 'human' must be a whole number from {LOW} to {HIGH}, as the judge rates "
                f"one answer; got {_said(human)}."
            )
        variant_keys: tuple[str, ...] = ("variant",)
        answer_keys: tuple[str, ...] = ("answer",)
    else:
        if not isinstance(human, str) or human not in HUMAN:
            raise DataError(
                f"{where}: 'human' must be '1', '2' or 'tie', as the judge compares two answers; "
                f"got {_said(human)}."
            )
        variant_keys, answer_keys = ("variant_1", "variant_2"), ("answer_1", "answer_2")
    sample = _text(where, row, "sample_id")
    task = _text(where, row, "task") if row.get("task") is not None else None
    if any(key in row for key in variant_keys):
        named = tuple(_text(where, row, key) for key in variant_keys)
        if any(key in row for key in answer_keys):
            raise DataError(f"{where}: give either the variants or the answers, not both.")
        return Label(where, sample, human, task, named, "", (), None)
    answers = tuple(_text(where, row, key, empty=True) for key in answer_keys)
    target = _text(where, row, "target", empty=True) if row.get("target") is not None else None
    question = _text(where, row, "input", empty=True)
    return Label(where, sample, human, task, None, question, answers, target)


def _text(where: str, row: Mapping[str, Any], key: str, *, empty: bool = False) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not (value or empty):
        raise DataError(f"{where}: '{key}' must be a text, got {_said(value)}.")
    return value


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _objects(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    empty = True
    for number, row in read_jsonl(file):
        empty = False
        yield f"{file}:{number}", row
    if empty:
        raise DataError(f"{file} has no rows.")
