"""Paired binary metrics: size and power, exactly."""

from __future__ import annotations

import simulation_binary as binary
from simulation_cells import ALPHA, SIZES, Cell, Options, details, rule, table, worst

THRESHOLDS = (0.0, 0.02, -0.02, -0.05)
LIMIT = 1.2 * ALPHA
EFFECTS = (
    (0.0, 0.7, 0.05, False),
    (0.0, 0.7, 0.05, True),
    (0.02, 0.7, 0.07, False),
    (0.02, 0.7, 0.07, True),
    (-0.02, 0.7, 0.0, True),
    (-0.02, 0.9, 0.0, True),
    (-0.05, 0.7, 0.0, False),
    (-0.05, 0.9, 0.0, False),
)
"""(threshold, base rate, true difference, concordant)"""
REGION_SIZES = (50, 100, 200, 500)
"""Sizes at which the exact unconditional test is worked out."""


def size(options: Options) -> tuple[list[Cell], str]:
    """P(SHIP) on the boundary, at each base rate, and at the worst discordance there is."""
    cells, everywhere = [], []
    for threshold in THRESHOLDS:
        if not binary.whole_boundary(50, threshold):
            raise SystemExit(f"the decision at {threshold} is not monotone in the wins")
        for n in SIZES:
            least = binary.boundary(n, threshold)
            for concordant in (False, True):
                for base in binary.BASE_RATES:
                    rates = binary.pair_rates(base, threshold, concordant)
                    if rates is None:
                        continue
                    name = f"{rule(threshold)}, {'concordant' if concordant else 'independent'}"
                    chance = binary.chance(least, *rates)
                    cells.append(Cell(name, f"{base:g}", f"n = {n}", chance, limit=LIMIT))
            for spare in binary.nuisance(threshold, 200):
                won, lost = max(threshold, 0.0) + spare, max(-threshold, 0.0) + spare
                chance = binary.chance(least, won, lost)
                everywhere.append(Cell(rule(threshold), "", f"n = {n}", chance))
    names = list(dict.fromkeys(c.table for c in cells))
    parts = [
        f"**{name}**, by the reference's success rate\n\n"
        + table([c for c in cells if c.table == name], "rate")
        for name in names
    ]
    body = "\n\n".join(
        [
            "Highest over the nine success rates:",
            worst(cells, "rule, sides"),
            "Highest over *every* discordance of the pairs (200 of them), whatever the success "
            "rate:",
            worst(everywhere, "rule"),
            details("Every success rate", "\n\n".join(parts)),
        ]
    )
    return cells, body


def power(options: Options) -> tuple[list[Cell], str]:
    """P(SHIP) at a real effect, beside the textbook's tests."""
    cells = []
    for threshold, base, effect, concordant in EFFECTS:
        rates = binary.pair_rates(base, effect, concordant)
        if rates is None:
            raise SystemExit(f"no pairs at {base} with difference {effect}")
        sides = "concordant" if concordant else "independent"
        case = f"{rule(threshold)}; {base:g}, difference {effect:+g}, {sides}"
        for n in SIZES[:5]:
            column = f"n = {n}"
            least = binary.boundary(n, threshold)
            cells.append(Cell("power", f"{case}: this gate", column, binary.chance(least, *rates)))
            tango = binary.boundary(n, threshold, binary.tango_ships)
            cells.append(Cell("power", f"{case}: Tango", column, binary.chance(tango, *rates)))
            if n in REGION_SIZES:
                region = binary.exact_region(n, threshold)
                exact = binary.region_chance(region, n, *rates)
                cells.append(Cell("power", f"{case}: exact unconditional", column, exact))
            if threshold == 0:
                mcnemar = binary.boundary(n, threshold, binary.mcnemar_ships)
                chance = binary.chance(mcnemar, *rates)
                cells.append(Cell("power", f"{case}: exact McNemar", column, chance))
    return [], table(cells, "rule; reference's rate and true difference: test")
