"""Draws the pictures of docs/statistics.md: `python benchmarks/pictures.py` (needs matplotlib).

Every number in them comes from the harness itself, on seeded draws.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.stats.independent import independent_interval
from harness.stats.intervals import Scale, difference_interval

OUT = Path(__file__).parents[1] / "docs" / "pictures"
UNIT, BINARY = Scale(0.0, 1.0), Scale(0.0, 1.0, True)
GREEN, RED, GREY, BLUE = "#1a7f37", "#c9372c", "#8c8c8c", "#2f5fb3"
AMBER = "#9a6700"


def paired() -> None:
    """The same scores, compared pair by pair and as if others had seen the two sides."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(1)
    hard = rng.beta(2, 2, 300)
    reference = (hard + rng.normal(0, 0.05, 300)).clip(0, 1)
    candidate = (hard + 0.025 + rng.normal(0, 0.05, 300)).clip(0, 1)
    found = {
        "paired": difference_interval(candidate, reference, UNIT, 0.05),
        "as independent samples": independent_interval(candidate, reference, UNIT, 0.05),
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=(1, 1.4))
    left.scatter(reference, candidate, s=6, color=BLUE, alpha=0.5, linewidths=0)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    left.set(xlabel="reference, score of a sample", ylabel="candidate", aspect="equal")
    left.set_title("easy samples are easy for both", fontsize=10)
    for y, (name, interval) in enumerate(found.items()):
        colour = GREEN if interval.low > 0 else AMBER
        right.plot([interval.low, interval.high], [y, y], color=colour, linewidth=3)
        right.plot(interval.estimate, y, "o", color=colour)
        right.text(interval.estimate, y + 0.16, name, ha="center", fontsize=9)
    right.axvline(0, color=GREY, linewidth=1)
    right.set(ylim=(-0.5, 1.6), yticks=[], xlabel="candidate - reference, 90% interval")
    right.set_title("the same 600 scores", fontsize=10)
    _save(figure, "paired")


def margins() -> None:
    """The same interval against 0 and against the loss that a team accepts."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(4)
    figure, axes = plt.subplots(figsize=(8, 2.6))
    rows = [(100, -0.004), (400, -0.004), (1600, -0.004), (1600, -0.035)]
    for y, (n, mean) in enumerate(reversed(rows)):
        d = rng.normal(0, 0.15, n)
        d += mean - d.mean()
        interval = difference_interval(d.clip(-1, 1), np.zeros(n), UNIT, 0.05)
        ships, holds = interval.low > -0.02, interval.high <= -0.02
        colour = GREEN if ships else RED if holds else AMBER
        word = "SHIP" if ships else "HOLD" if holds else "INCONCLUSIVE"
        axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=3)
        axes.plot(interval.estimate, y, "o", color=colour)
        axes.text(0.083, y, f"n = {n:,}: {word}", va="center", fontsize=9, color=colour)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.axvline(-0.02, color=RED, linewidth=1.2, linestyle="--")
    axes.text(-0.021, 3.55, "margin: -0.02", ha="right", fontsize=9, color=RED)
    axes.set(xlim=(-0.1, 0.14), ylim=(-0.6, 4), yticks=[], xlabel="candidate - reference")
    _save(figure, "margins")


def inconclusive() -> None:
    """Point estimates of one and the same pair of systems, run after run.

    One in twenty ships by chance; the seed is one where that is what happens.
    """
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(28)
    figure, axes = plt.subplots(figsize=(8, 2.8))
    for x in range(24):
        d = rng.choice([-1.0, 0.0, 1.0], 150, p=[0.1, 0.8, 0.1])
        sides = np.maximum(d, 0), np.maximum(-d, 0)
        interval = difference_interval(*sides, BINARY, 0.05)
        colour = GREEN if interval.low > 0 else RED if interval.high <= 0 else AMBER
        axes.plot([x, x], [interval.low, interval.high], color=colour, linewidth=2.5)
        axes.plot(x, interval.estimate, "o", color=colour, markersize=4)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set(
        xlabel="24 evaluations of two systems that are equally good, 150 samples each",
        ylabel="difference",
        xticks=[],
    )
    _save(figure, "inconclusive")


def _save(figure, name: str) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.tight_layout()
    # No date and no random ids, so that the same pictures are the same files.
    figure.savefig(OUT / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def main() -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "harness", "svg.fonttype": "none", "font.size": 9})
    OUT.mkdir(exist_ok=True)
    for draw in (paired, margins, inconclusive):
        draw()
        print(f"docs/pictures/{draw.__name__}.svg")


if __name__ == "__main__":
    main()
