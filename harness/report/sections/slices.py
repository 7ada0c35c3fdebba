"""The candidate against every other variant, slice by slice: where does it win, where lose?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from harness.report.material import Material
from harness.report.variants import lower_is_better
from harness.report.words import interval, number

if TYPE_CHECKING:
    from harness.compare.aligned import Bools, TaskData
    from harness.compare.comparisons import Outcome
    from harness.compare.pairs import Pairs

TITLE = "Slices"
CHAPTER = "variants"

MOST_VALUES, MOST_ROWS = 24, 60
"""Values of a metadata key that are worth a row each, and rows of a map."""
_METRICS = 2
_FEW = 10
"""Pairs below which a cell is not coloured: anything may come of so few."""
SHADES = 4
"""Steps of colour on each side of no difference."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    mark: str
    """▲ or ▼ where the interval excludes no difference, else nothing."""
    shade: str
    """Class: ``up-4`` … ``down-4``, ``level``, or ``few``."""
    said: str
    """Interval and number of pairs."""


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    value: str
    n: int
    own: str
    """The candidate's own mean."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Map:
    task: str
    metric: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: int
    """Rows beyond the most that a map holds."""
    greatest: str
    """The difference that has the strongest colour."""
    level: float


_Difference: TypeAlias = "tuple[Pairs, float | None, Outcome]"
"""The pairs, their mean difference, and its interval."""


def section(material: Material) -> list[Map] | None:
    if material.candidate is None or len(material.variants) < 2:
        return None
    from harness.compare.aligned import index

    found = []
    for task in index(material.run).values():
        if material.candidate not in task.variants or not task.metadata:
            continue
        for metric in material.leading(task.name)[:_METRICS]:
            if metric in task.infos and (drawn := _map(material, task, metric)):
                found.append(drawn)
    return found or None


def _map(material: Material, task: TaskData, metric: str) -> Map | None:
    from harness.compare.comparisons import difference
    from harness.compare.pairs import own, pair

    candidate = material.candidate or ""
    info = task.infos[metric]
    others = [v for v in task.variants if v != candidate and task.touched[task.row(v)].any()]
    higher = not lower_is_better(material.manifest, material.rules, task.name, metric)
    places = _places(task)
    rows: list[tuple[str, str, float | None, list[_Difference]]] = []
    for key, value, keep in places[:MOST_ROWS]:
        pairs = [pair(task, candidate, v, info, higher=higher, keep=keep) for v in others]
        values = own(task, candidate, info, keep)[0]
        known = values[values == values]
        mean = float(known.mean()) if len(known) else None
        rows.append((key, value, mean, [(p, *difference(p, material.alpha)) for p in pairs]))
    if not rows:
        return None
    sizes = [abs(mean) for *_, cells in rows for _, mean, _ in cells if mean is not None]
    top = max(sizes, default=0.0)
    return Map(
        task.name,
        metric,
        tuple(others),
        tuple(
            Row(
                key,
                value,
                max((len(p.candidate) for p, *_ in cells), default=0),
                number(mean),
                tuple(_cell(one, top) for one in cells),
            )
            for key, value, mean, cells in rows
        ),
        max(0, len(places) - MOST_ROWS),
        number(top),
        1 - 2 * material.alpha,
    )


def _places(task: TaskData) -> list[tuple[str, str, Bools]]:
    """Key, value and samples of every slice that is worth a row."""
    from harness.compare.pairs import slices

    found: list[tuple[str, str, Bools]] = []
    for key in _keys(task.metadata):
        parts = slices(task, key, task.variants)
        if 2 <= len(parts) <= MOST_VALUES:
            found += [(key, label.removeprefix(f"{key}="), keep) for label, keep in parts]
    return found


def _keys(metadata: Sequence[str]) -> list[str]:
    """The keys with few enough values: of one with a value for each sample not even the slices
    may be listed, as there would be as many masks as samples."""
    values: dict[str, set[str]] = {}
    for text in metadata:
        try:
            about = json.loads(text)
        except ValueError:
            continue
        for key, value in about.items() if isinstance(about, dict) else ():
            known = values.setdefault(key, set())
            if len(known) <= MOST_VALUES:
                known.add(json.dumps(value))
    return sorted(key for key, known in values.items() if 2 <= len(known) <= MOST_VALUES)


def _cell(one: _Difference, top: float) -> Cell:
    pairs, mean, outcome = one
    n = int(pairs.scored.sum())
    low, high = outcome.bounds
    mark = "▲" if low is not None and low > 0 else "▼" if high is not None and high < 0 else ""
    said = f"{interval(low, high, signed=True, limits=(0.0,))}, n = {n:,}"
    lost = len(pairs.candidate) - n
    said += f", {lost:,} unscored" if lost else ""
    return Cell(number(mean, signed=True), mark, _shade(mean, n, top), said)


def _shade(mean: float | None, n: int, top: float) -> str:
    if mean is None or n < _FEW:
        return "few"
    step = 0 if top <= 0 else round(SHADES * abs(mean) / top)
    return "level" if step == 0 else f"{'up' if mean > 0 else 'down'}-{step}"
