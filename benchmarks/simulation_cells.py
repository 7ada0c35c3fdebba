"""What one simulated cell is, and how cells become Markdown tables."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALPHA = 0.05
SIZES = (50, 100, 200, 500, 1000, 2000, 5000)
AT_ONCE = 1_000_000
"""Values drawn at a time."""


@dataclass(frozen=True)
class Options:
    seed: int
    quick: bool
    others: Path | None
    """Python of an environment that has the other tools; None: leave them out."""

    def repetitions(self, n: int, most: int = 10_000, values: int = 16_000_000) -> int:
        """Enough for a standard error below 0.7 points, fewer where samples are many."""
        found = min(most, max(values // n, 3000))
        return max(100, found // 40) if self.quick else found


@dataclass(frozen=True)
class Cell:
    """How often one gate said SHIP in one situation."""

    table: str
    case: str
    column: str
    rate: float
    repetitions: int | None = None
    """None: summed over all outcomes, without error."""
    limit: float | None = None
    """The promise; None: reported, not promised."""

    @property
    def error(self) -> float:
        """Monte Carlo standard error, of the limit where there is one."""
        if self.repetitions is None:
            return 0.0
        p = self.rate if self.limit is None else self.limit
        return math.sqrt(p * (1 - p) / self.repetitions)

    @property
    def broken(self) -> bool:
        """Above its limit by more than chance explains (3 standard errors)."""
        return self.limit is not None and self.rate > self.limit + 3 * self.error + 1e-9


def rule(threshold: float) -> str:
    return f"superior at {threshold:g}" if threshold >= 0 else f"non-inferior at {-threshold:g}"


def share(
    decide: Callable[[np.ndarray], np.ndarray],
    draw: Callable[[int], np.ndarray],
    repetitions: int,
    n: int,
) -> float:
    """Share of the draws that ship, drawn in parts that fit into memory."""
    shipped, left = 0, repetitions
    while left:
        part = min(left, max(1, AT_ONCE // n))
        shipped += int(decide(draw(part)).sum())
        left -= part
    return shipped / repetitions


def generator(seed: int, *names: object) -> np.random.Generator:
    """A stream of its own for each cell, so that any cell can be run alone."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def table(cells: Sequence[Cell], heading: str = "case") -> str:
    """Percentages of SHIP: a row a case, a column a size; bold where a limit is broken."""
    columns = list(dict.fromkeys(c.column for c in cells))
    rows: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.case, {})[cell.column] = cell
    lines = [f"| {heading} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for case, found in rows.items():
        shown = [_percent(found[c]) if c in found else "" for c in columns]
        lines.append(f"| {case} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _percent(cell: Cell) -> str:
    text = f"{100 * cell.rate:.1f}" if cell.rate < 0.0995 else f"{100 * cell.rate:.0f}"
    return f"**{text}**" if cell.broken else text


def worst(cells: Sequence[Cell], heading: str = "case") -> str:
    """The highest rate of each table and column."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        key = (cell.table, cell.column)
        if key not in found or cell.rate > found[key].rate:
            found[key] = cell
    rows = [
        Cell("", t, c, cell.rate, cell.repetitions, cell.limit) for (t, c), cell in found.items()
    ]
    return table(rows, heading)


def details(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def write_section(path: Path, name: str, body: str) -> None:
    """Puts ``body`` between the marks of section ``name`` in a Markdown file."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{path}: no marks '{begin}' and '{end}'")
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n{body}\n{end}{tail}", encoding="utf-8")
