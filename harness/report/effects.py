"""What retrieval adds, what the adapter adds, what both add: a table for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.axis import axis
from harness.report.differences import direction, grouped
from harness.report.forest import Bar, draw
from harness.report.words import MINUS, interval, number

if TYPE_CHECKING:
    from harness.compare import Effect


@dataclass(frozen=True, slots=True)
class EffectCell:
    estimate: str
    interval: str
    word: str
    """``better``, ``worse``, ``unclear`` or ``no interval``."""
    why: str
    """Why there is no interval; empty where there is one."""
    n: int
    n_unscored: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class EffectTable:
    """Metrics down, effects across; each row on a scale of its own."""

    task: str
    columns: tuple[tuple[str, str], ...]
    """Name of the effect and the variants it is made of, as a sum."""
    rows: tuple[tuple[str, tuple[EffectCell | None, ...]], ...]
    """Metric and its cells in the order of the columns; None: not measured."""
    level: float
    notes: tuple[tuple[str, str], ...]
    """Each note and the effects that it is about."""
    methods: tuple[tuple[str, str], ...]
    """Each method and the metrics and effects that it decided."""


def effect_tables(effects: Sequence[Effect]) -> list[EffectTable]:
    tasks: dict[str, list[Effect]] = {}
    for effect in effects:
        tasks.setdefault(effect.task, []).append(effect)
    return [_table(task, rows) for task, rows in tasks.items()]


def _table(task: str, effects: Sequence[Effect]) -> EffectTable:
    columns = dict.fromkeys((e.name, formula(e.variants)) for e in effects)
    metrics: dict[str, dict[tuple[str, str], Effect]] = {}
    for e in effects:
        metrics.setdefault(e.metric, {})[e.name, formula(e.variants)] = e
    notes = [(note, e.name) for e in effects for note in (e.note or "").split("; ") if note]
    return EffectTable(
        task,
        tuple(columns),
        tuple((metric, _cells(found, list(columns))) for metric, found in metrics.items()),
        effects[0].ci_level,
        grouped(notes),
        grouped((e.method, f"{e.metric} ({e.name})") for e in effects),
    )


def _cells(
    found: Mapping[tuple[str, str], Effect], columns: Sequence[tuple[str, str]]
) -> tuple[EffectCell | None, ...]:
    scale = axis(
        [0.0, *(v for e in found.values() for v in (e.estimate, e.ci_low, e.ci_high))], pad=0.04
    )

    def cell(e: Effect) -> EffectCell:
        word = direction(e.ci_low, e.ci_high)
        none = word == "no interval"
        mark = word.split()[0]
        return EffectCell(
            number(e.estimate, signed=True),
            interval(e.ci_low, e.ci_high, signed=True, limits=(0.0,)),
            word,
            e.method if none else "",
            e.n,
            e.n_unscored,
            draw(mark, e.estimate, e.ci_low, e.ci_high, scale, zero=True),
        )

    return tuple(cell(found[key]) if key in found else None for key in columns)


def formula(variants: Sequence[str]) -> str:
    """Of two variants their difference; of four the difference of two differences."""
    signs = (MINUS,) if len(variants) == 2 else (MINUS, MINUS, "+")
    return variants[0] + "".join(f" {s} {v}" for s, v in zip(signs, variants[1:], strict=True))
