"""The gates of other tools on the very same draws, each run in an environment of its own.

``gates/<tool>_gate.py`` says which of the tool's calls decide. A tool may answer twice: its gate
as it ships, and its interval held against the margin, as a careful user would read it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from simulation_binary import BINARY, pair_rates
from simulation_cells import ALPHA, Cell, generator
from simulation_draws import (
    Draw,
    cluster_sizes,
    clustered_binary,
    rare,
    rouge_like,
    skewed,
)
from simulation_gate import BOUNDED, ships

GATES = Path(__file__).parent / "gates"
TOOLS = ("evalsig", "evalproof", "deltagate")


@dataclass(frozen=True)
class Case:
    """Score arrays (r, n) to decide on; ``threshold``: the margin, or a negated one."""

    name: str
    threshold: float
    candidate: np.ndarray
    reference: np.ndarray
    binary: bool
    clusters: np.ndarray | None = None


def binary_case(
    name: str, seed: int, shape: tuple[int, int], base: float, threshold: float, effect: float
) -> Case:
    rates = pair_rates(base, effect, False)
    if rates is None:
        raise ValueError(f"no pairs at {base} with difference {effect}")
    rng = generator(seed, "other gates", name, shape[1])
    won, lost = rates
    u, agree = rng.random(shape), rng.random(shape)
    both = base - lost
    neither = 1 - won - lost - both
    same = agree < both / (both + neither)
    candidate = np.where(u < won, 1.0, np.where(u < won + lost, 0.0, same))
    reference = np.where(u < won, 0.0, np.where(u < won + lost, 1.0, same))
    return Case(name, threshold, candidate, reference, True)


def drawn_case(
    name: str, seed: int, shape: tuple[int, int], draw: Draw, threshold: float, effect: float
) -> Case:
    d = draw(generator(seed, "other gates", name, shape[1]), shape, effect)
    return Case(name, threshold, np.maximum(d, 0), np.maximum(-d, 0), False)


def clustered_case(
    name: str, seed: int, shape: tuple[int, int], threshold: float, effect: float
) -> Case:
    sizes = cluster_sizes(shape[1] // 10, False)
    rng = generator(seed, "other gates", name, shape[1])
    d = clustered_binary(rng, shape[0], sizes, effect, 0.5)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return Case(name, threshold, np.maximum(d, 0), np.maximum(-d, 0), True, codes)


def null_cases(seed: int, r: int, n: int) -> list[Case]:
    """The candidate is just not good enough: every SHIP is false."""
    shape = (r, n)
    hidden = partial(rare, share=0.01, noise=0.002)
    harm = partial(rare, share=0.02, noise=0.05)
    return [
        binary_case("binary 0.7, superior at 0", seed, shape, 0.7, 0.0, 0.0),
        binary_case("binary 0.7, superior at 0.02", seed, shape, 0.7, 0.02, 0.02),
        binary_case("binary 0.9, non-inferior at 0.05", seed, shape, 0.9, -0.05, -0.05),
        drawn_case("ROUGE-like, superior at 0", seed, shape, rouge_like, 0.0, 0.0),
        drawn_case("ROUGE-like, non-inferior at 0.02", seed, shape, rouge_like, -0.02, -0.02),
        drawn_case("skewed down, superior at 0", seed, shape, skewed, 0.0, 0.0),
        drawn_case("rare harm 1% behind a gain, superior at 0", seed, shape, hidden, 0.0, 0.0),
        drawn_case("rare harm 2%, non-inferior at 0.02", seed, shape, harm, -0.02, -0.02),
    ]


def power_cases(seed: int, r: int, n: int) -> list[Case]:
    """The candidate is good enough: every SHIP is right."""
    shape = (r, n)
    return [
        binary_case("binary 0.7, superior at 0, is +0.08", seed, shape, 0.7, 0.0, 0.08),
        binary_case("binary 0.7, superior at 0.02, is +0.1", seed, shape, 0.7, 0.02, 0.1),
        binary_case("binary 0.9, non-inferior at 0.05, is 0", seed, shape, 0.9, -0.05, 0.0),
        drawn_case("ROUGE-like, superior at 0, is +0.04", seed, shape, rouge_like, 0.0, 0.04),
        drawn_case("ROUGE-like, non-inferior at 0.02, is 0", seed, shape, rouge_like, -0.02, 0.0),
        drawn_case("skewed down, superior at 0, is +0.02", seed, shape, skewed, 0.0, 0.02),
    ]


def clustered_cases(seed: int, r: int, n: int) -> list[Case]:
    return [clustered_case("clustered, unequal, non-inferior at 0.05", seed, (r, n), -0.05, -0.05)]


def decisions(cases: Sequence[Case], tool: str, python: Path) -> list[dict[str, list[bool] | None]]:
    """What ``tool`` decides in each case, from its own environment."""
    arrays: dict[str, np.ndarray] = {}
    specs = []
    for i, case in enumerate(cases):
        arrays[f"{i}/candidate"], arrays[f"{i}/reference"] = case.candidate, case.reference
        if case.clusters is not None:
            arrays[f"{i}/clusters"] = case.clusters
        specs.append(
            {
                "key": str(i),
                "threshold": case.threshold,
                "alpha": ALPHA,
                "binary": case.binary,
                "clustered": case.clusters is not None,
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        np.savez(path, specs=json.dumps(specs), **arrays)  # type: ignore[arg-type]
        done = subprocess.run(
            [python, GATES / f"{tool}_gate.py", path], check=True, capture_output=True, text=True
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


def own_decisions(case: Case) -> np.ndarray:
    scale = BINARY if case.binary else BOUNDED
    return ships(case.candidate - case.reference, case.threshold, scale, case.clusters)


def compare_tools(
    cases: Sequence[Case], table: str, pythons: dict[str, Path], limit: float | None = None
) -> list[Cell]:
    """Share of SHIP: a row a case, a column a way to decide."""
    cells = []
    answers = {tool: decisions(cases, tool, python) for tool, python in pythons.items()}
    for i, case in enumerate(cases):
        r, n = case.candidate.shape
        name = f"{case.name}, n = {n}"
        rate = float(own_decisions(case).mean())
        cells.append(Cell(table, name, "this gate", rate, r, limit))
        for tool, answered in answers.items():
            for way in ("gate", "interval"):
                decided = answered[i][way]
                if decided is not None:
                    rate = float(np.mean(decided))
                    cells.append(Cell(table, name, f"{tool}: {way}", rate, r))
    return cells
