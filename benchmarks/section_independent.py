"""Independent samples: other people saw the two sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simulation_binary as binary
import simulation_draws as draws
from scipy.special import bdtrc, gammaln, xlog1py, xlogy
from simulation_cells import (
    ALPHA,
    SIZES,
    Cell,
    Options,
    details,
    generator,
    rule,
    table,
    worst,
)
from simulation_gate import BOUNDED

from harness.stats.independent import independent_interval
from harness.stats.intervals import Scale

LIMIT = 1.2 * ALPHA
CLUSTER_LIMIT = 1.3 * ALPHA
THRESHOLDS = (0.0, 0.02, -0.02, -0.05)
SHARES = (1.0, 0.1)
"""Size of the candidate's side over the reference's: halves, and a canary of a tenth."""
SLOW = 300
"""Repetitions where the bound is the product of two bets, which takes longest."""
Side = Callable[[np.random.Generator, int], np.ndarray]


def ships(candidate: np.ndarray, reference: np.ndarray, threshold: float, scale: Scale) -> bool:
    return independent_interval(candidate, reference, scale, ALPHA).low > threshold


def _binary_ships(x: int, y: int, m: int, n: int, threshold: float) -> bool:
    candidate, reference = np.zeros(m), np.zeros(n)
    candidate[:x], reference[:y] = 1.0, 1.0
    return ships(candidate, reference, threshold, binary.BINARY)


def least_successes(m: int, n: int, threshold: float) -> np.ndarray:
    """(n + 1,) least successes of the candidate's m that ship, for each count of the reference."""
    least = np.full(n + 1, m + 1)
    x = 0
    for y in range(n + 1):
        while x <= m and not _binary_ships(x, y, m, n, threshold):
            x += 1
        if x > m:
            break
        least[y] = x
    return least


def chance(least: np.ndarray, m: int, candidate: float, reference: float) -> float:
    n = len(least) - 1
    y = np.arange(n + 1)
    weight = np.exp(
        gammaln(n + 1)
        - gammaln(y + 1)
        - gammaln(n - y + 1)
        + xlogy(y, reference)
        + xlog1py(n - y, -reference)
    )
    tail = np.where(least > 0, bdtrc(np.maximum(least - 1.0, 0), m, candidate), 1.0)
    return float(weight @ np.where(least <= m, tail, 0.0))


def _binary(options: Options) -> list[Cell]:
    cells = []
    for share in SHARES:
        for threshold in THRESHOLDS:
            for n in (50, 200, 500) if options.quick else SIZES[:6]:
                m = max(50, round(n * share))
                least = least_successes(m, n, threshold)
                for base in binary.BASE_RATES:
                    candidate = base + threshold
                    if 0 <= candidate <= 1:
                        sides = "equal sides" if share == 1 else "a tenth against the rest"
                        name = f"{rule(threshold)}, {sides}"
                        found = chance(least, m, candidate, base)
                        cells.append(Cell(name, f"{base:g}", f"n = {n}", found, limit=LIMIT))
    return cells


@dataclass(frozen=True)
class Sides:
    """Two populations whose means differ by exactly ``threshold``."""

    name: str
    candidate: Side
    reference: Side
    threshold: float
    sizes: tuple[int, ...]


def _skewed(mean: float) -> Side:
    return lambda rng, n: draws.skewed(rng, (1, n), mean)[0]


def _rare(mean: float, share: float) -> Side:
    return lambda rng, n: draws.rare(rng, (1, n), mean, share, loss=0.0, noise=0.02)[0]


def _beta(a: float, b: float) -> Side:
    return lambda rng, n: rng.beta(a, b, n)


def _continuous(options: Options) -> list[Cell]:
    cells = []
    for sides in (
        Sides("ROUGE-like; superior at 0", _beta(2, 3), _beta(2, 3), 0.0, SIZES[1:6]),
        Sides("ROUGE-like; superior at 0.1", _beta(2.5, 2.5), _beta(2, 3), 0.1, SIZES[2:6]),
        Sides("skewed down; superior at 0", _skewed(0.7), _skewed(0.7), 0.0, SIZES[3:6]),
        Sides("rare harm 2%; superior at 0", _rare(0.9, 0.02), _beta(90, 10), 0.0, (200, 1000)),
    ):
        for n in sides.sizes:
            most = SLOW if n <= 100 or sides.name.startswith("rare") else 4000
            r = max(20, most // 40) if options.quick else most
            rng = generator(options.seed, "independent", sides.name, n)
            found = [
                ships(sides.candidate(rng, n), sides.reference(rng, n), sides.threshold, BOUNDED)
                for _ in range(r)
            ]
            rate = float(np.mean(found))
            cells.append(Cell("independent", sides.name, f"n = {n}", rate, r, ALPHA))
    return cells


def _users(options: Options) -> list[Cell]:
    """Each user asks several times, and is on one side; ICC 0.3; superior at 0."""
    cells = []
    for kind in ("binary", "continuous"):
        scale = binary.BINARY if kind == "binary" else BOUNDED
        for equal in (True, False):
            for groups in (20, 50, 100):
                sizes = draws.cluster_sizes(groups, equal)
                codes = np.repeat(np.arange(groups), sizes)
                rng = generator(options.seed, "users", kind, equal, groups)
                r = options.repetitions(len(codes), most=3000)
                shipped = 0
                for _ in range(r):
                    c, f = (_user_scores(rng, sizes, kind) for _ in range(2))
                    both = (codes, codes + groups)
                    shipped += independent_interval(c, f, scale, ALPHA, both).low > 0
                case = f"{kind}, {'equal' if equal else 'unequal'} users"
                column = f"{groups} users a side"
                cells.append(Cell("users", case, column, shipped / r, r, CLUSTER_LIMIT))
    return cells


def _user_scores(rng: np.random.Generator, sizes: np.ndarray, kind: str) -> np.ndarray:
    weight = 0.7 / 0.3
    own = np.repeat(rng.beta(0.7 * weight, 0.3 * weight, len(sizes)), sizes)
    drawn = (rng.random(len(own)) < own).astype(float)
    return drawn if kind == "binary" else 0.5 * own + 0.5 * rng.beta(2, 3, len(own))


def size(options: Options) -> tuple[list[Cell], str]:
    counted, drawn, users = _binary(options), _continuous(options), _users(options)
    names = list(dict.fromkeys(c.table for c in counted))
    parts = [
        f"**{name}**, by the reference's success rate\n\n"
        + table([c for c in counted if c.table == name], "rate")
        for name in names
    ]
    body = [
        "Binary, highest over the nine success rates, summed exactly (n: the reference's side):",
        worst(counted, "rule, sides"),
        "Bounded, n on each side:",
        table(drawn, "values; rule"),
        "Users who ask several times (ICC 0.3), superior at 0:",
        table(users, "values"),
        details("Every success rate", "\n\n".join(parts)),
    ]
    return counted + drawn + users, "\n\n".join(body)
