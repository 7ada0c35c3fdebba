"""The gates of other tools beside this one, on the same draws."""

from __future__ import annotations

from collections.abc import Callable

import other_gates
from simulation_cells import Cell, Options, table

NULL_SIZES = ((50, 300), (200, 200), (1000, 40))
"""(n, repetitions): their bootstraps are slow."""
POWER_SIZES = ((200, 300),)
CLUSTER_SIZES = ((200, 200),)


def compare(options: Options) -> tuple[list[Cell], str]:
    if options.others is None:
        raise SystemExit("'tools' needs --others: a Python with evalsig, evalproof, deltagate")
    parts = [
        "False SHIP, in percent:",
        _cells(options, other_gates.null_cases, NULL_SIZES),
        _cells(options, other_gates.clustered_cases, CLUSTER_SIZES),
        "Power, in percent:",
        _cells(options, other_gates.power_cases, POWER_SIZES),
    ]
    return [], "\n\n".join(parts)


def _cells(
    options: Options,
    cases: Callable[[int, int, int], list[other_gates.Case]],
    sizes: tuple[tuple[int, int], ...],
) -> str:
    cells: list[Cell] = []
    pythons = {tool: options.others for tool in other_gates.TOOLS if options.others}
    for n, repetitions in sizes:
        r = max(5, repetitions // 40) if options.quick else repetitions
        found = other_gates.compare_tools(cases(options.seed, r, n), "tools", pythons)
        cells += found
    order = ["this gate"] + [f"{t}: {w}" for t in other_gates.TOOLS for w in ("gate", "interval")]
    cells.sort(key=lambda c: order.index(c.column))
    return table(cells)
