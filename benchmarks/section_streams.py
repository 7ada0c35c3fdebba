"""Sequential looks: is the verdict still right when somebody looks after every batch?"""

from __future__ import annotations

from functools import partial

import numpy as np
import simulation_binary as binary
import simulation_draws as draws
import simulation_gate as gate
from simulation_cells import ALPHA, Cell, Options, details, generator, rule, table

BATCH, LAST = 50, 2000
LOOKS = np.arange(BATCH, LAST + 1, BATCH)
SHOWN = (200, 500, 1000, 2000)


def pairs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    mean: float,
    base: float,
    concordant: bool = False,
) -> np.ndarray:
    """Differences of binary pairs."""
    rates = binary.pair_rates(base, mean, concordant)
    if rates is None:
        raise ValueError(f"no pairs at {base} with difference {mean}")
    u = rng.random(shape)
    return (u < rates[0]).astype(float) - ((u >= rates[0]) & (u < sum(rates)))


def families() -> list[draws.Family]:
    chosen = (
        "symmetric small noise",
        "skewed down (lognormal, sigma 1)",
        "ROUGE-like",
        "80% ties, rest skewed down",
        "rare harm 0.5% behind a small gain",
        "rare harm 2%, rest ties",
        "rare harm 2%, rest noise",
    )
    return [
        draws.Family("binary 0.7, independent", partial(pairs, base=0.7), (0.0, 0.02, -0.05)),
        draws.Family(
            "binary 0.9, concordant", partial(pairs, base=0.9, concordant=True), (0.02, -0.02)
        ),
        draws.Family("binary 0.98, independent", partial(pairs, base=0.98), (0.0, -0.02)),
        *(f for f in draws.bounded_families() if f.name in chosen),
    ]


def size(options: Options) -> tuple[list[Cell], str]:
    """P(SHIP at some look up to n), at the boundary, with and without the sequential bound."""
    ours, naive = [], []
    r = options.repetitions(LAST, most=5000)
    for family in families():
        for threshold in family.null:
            case = f"{family.name}; {rule(threshold)}"
            rng = generator(options.seed, "sequential", case)
            found = _looks(rng, family, threshold, threshold, r)
            for n in SHOWN:
                upto = n >= LOOKS
                column = f"by n = {n}"
                always = float(found[0][:, upto].any(axis=1).mean())
                ours.append(Cell("sequential", case, column, always, r, ALPHA))
                fixed = float(found[1][:, upto].any(axis=1).mean())
                naive.append(Cell("t at every look", case, column, fixed, r))
    body = [
        f"With `--sequential`, looks after every {BATCH} samples; false SHIP at any look so far:",
        table(ours, "differences; rule"),
        details(
            "What looking would do to a bound for a fixed n (Student's t)",
            table(naive, "differences; rule"),
        ),
    ]
    return ours, "\n\n".join(body)


def power(options: Options) -> tuple[list[Cell], str]:
    """Share that has shipped by n, and that t at this n, looked at once, would ship."""
    effects = {
        "binary 0.7, independent": ((0.0, 0.05), (0.0, 0.1), (-0.05, 0.0)),
        "ROUGE-like": ((0.0, 0.04), (0.0, 0.08)),
        "rare harm 2%, rest noise": ((-0.02, 0.0),),
    }
    cells = []
    r = options.repetitions(LAST, most=1000)
    for family in families():
        for threshold, effect in effects.get(family.name, ()):
            case = f"{family.name}; {rule(threshold)}, difference {effect:+g}"
            rng = generator(options.seed, "sequential power", case)
            always, fixed = _looks(rng, family, threshold, effect, r)
            for n in SHOWN:
                shipped = always[:, n >= LOOKS].any(axis=1).mean()
                cells.append(Cell("", f"{case}: sequential", f"n = {n}", float(shipped), r))
                once = fixed[:, n == LOOKS].mean()
                cells.append(Cell("", f"{case}: t, one look", f"n = {n}", float(once), r))
    return [], table(cells, "differences; rule and true difference: bound")


def _looks(
    rng: np.random.Generator, family: draws.Family, threshold: float, mean: float, r: int
) -> tuple[np.ndarray, np.ndarray]:
    """(r, looks) whether the sequential bound, and t, ship at each look."""
    always, fixed = [], []
    for start in range(0, r, 500):
        d = family.draw(rng, (min(500, r - start), LAST), mean)
        always.append(gate.ships_at_looks(d, threshold, LOOKS))
        fixed.append(np.stack([gate.t_ships(d[:, :n], threshold) for n in LOOKS], axis=1))
    return np.concatenate(always), np.concatenate(fixed)
