"""The gate held to its own promise: how often would these rules ship what is not good enough?

Samples are drawn again and again from the run's own data, changed just so far that the claim is
exactly false, and each is decided as the run was. What is counted is the false-SHIP rate; drawn
from the data unchanged, the power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.gate.decide import rulings_on
from harness.gate.evidence import Evidence
from harness.gate.ruling import Question
from harness.stats.independent import independent_interval
from harness.stats.intervals import by_sample, by_sample_cluster
from harness.stats.mean import Codes, Floats
from harness.stats.quantile import quantile_ship_rate
from harness.stats.scale import NoInterval
from harness.stats.simulate import (
    REPETITIONS,
    Population,
    observed,
    sequential_ship_rate,
    ship_rate,
    tilted,
    with_rare_harm,
)
from harness.store.runs import Run
from harness.types import RuleResult, RuleSet

MOST_UNITS = 20_000
"""More clusters than this would take minutes."""
LOOP_REPETITIONS = 200
"""Repetitions where samples have to be drawn one by one."""


@dataclass(frozen=True)
class Checked:
    """One row of the verdict, simulated at its size."""

    row: RuleResult
    false_ship: float | None
    """Share of SHIP where the claim is exactly false, the largest over the populations tried; None:
    not simulated."""
    power: float | None
    """Share of SHIP where the data are what they are."""
    repetitions: int
    note: str
    """The populations tried, or why there is no simulation."""

    @property
    def error(self) -> float | None:
        """Monte Carlo standard error of ``false_ship`` where the true rate is alpha."""
        alpha = self.row.alpha
        return (alpha * (1 - alpha) / self.repetitions) ** 0.5 if self.repetitions else None

    @property
    def holds(self) -> bool | None:
        """No more false SHIPs than alpha, but for three Monte Carlo errors; None: not simulated."""
        if self.false_ship is None or self.error is None:
            return None
        return self.false_ship <= self.row.alpha + 3 * self.error


def self_check(
    run: Run,
    rules: RuleSet | None = None,
    *,
    sequential: bool = False,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Checked]:
    """Every row that was decided, simulated ``repetitions`` times. Seeded: the same tomorrow.

    ``progress``: called with rows done and rows in all.
    """
    found = []
    rulings = rulings_on(run, rules, sequential=sequential)
    looks = _looks(run)
    for done, ruling in enumerate(rulings, 1):
        if ruling.question is None:
            found.append(Checked(ruling.row, None, None, 0, f"not decided: {ruling.row.reason}"))
        else:
            found.append(_check(ruling.row, ruling.question, looks, repetitions, seed))
        if progress is not None:
            progress(done, len(rulings))
    return found


def joint_power(checked: Sequence[Checked]) -> tuple[float, float] | None:
    """Between which limits the chance lies that all gating rows ship; None: not all simulated.

    The rows share samples, so their chances do not multiply; these are Bonferroni's and the least
    favourable row's.
    """
    return all_ship([c.power for c in checked if c.row.gating])


def all_ship(powers: Sequence[float | None]) -> tuple[float, float] | None:
    """``joint_power`` of rows with these powers."""
    known = [p for p in powers if p is not None]
    if not known or len(known) < len(powers):
        return None
    return max(0.0, 1 - sum(1 - p for p in known)), min(known)


def _looks(run: Run) -> list[int] | None:
    """Samples a look, as far as the run tells."""
    about = run.manifest.get("sequential")
    if about:
        return [int(about["batch"])] * int(about["looks"])
    batches = run.manifest.get("batches") or ()
    return [1] * len(batches) if len(batches) > 1 else None


def _check(
    row: RuleResult, question: Question, looks: list[int] | None, repetitions: int, seed: int
) -> Checked:
    evidence = question.evidence
    if evidence.quantile is not None:
        return _quantile(row, question)
    if evidence.kind == "independent":
        return _independent(row, question, seed)
    population, units = population_of(evidence, upper=question.upper)
    if len(population.weights) > MOST_UNITS:
        return Checked(row, None, None, 0, f"{units:,} clusters are too many to draw from")
    threshold = -question.threshold if question.upper else question.threshold
    null = {
        "reweighted to the margin": tilted(population, threshold),
        "with rare harm": with_rare_harm(population, threshold),
    }

    def rate(of: Population) -> float:
        if evidence.anytime:
            seen = _spread(units, looks)
            return sequential_ship_rate(
                of, seen, threshold, row.alpha, repetitions=repetitions, seed=seed
            )
        return ship_rate(of, units, threshold, row.alpha, repetitions=repetitions, seed=seed)

    ends = population.ends
    if evidence.anytime and (ends[0] is None or threshold <= ends[0]):
        return Checked(row, None, None, 0, "no range to draw from")
    tried = {name: rate(of) for name, of in null.items() if of is not None}
    power = rate(population)
    if not tried:
        note = "the data cannot be changed so that the claim is exactly false"
        return Checked(row, None, power, repetitions, note)
    return Checked(row, max(tried.values()), power, repetitions, ", ".join(tried))


def _spread(units: int, looks: list[int] | None) -> list[int]:
    """The units that each look sees: the run's batches in their proportions, else tenths."""
    weights = np.array(looks or [1] * 10, dtype=np.float64)
    ends = np.round(np.cumsum(weights) / weights.sum() * units).astype(int)
    return [int(n) for n in np.diff(ends, prepend=0) if n > 0]


def population_of(evidence: Evidence, *, upper: bool) -> tuple[Population, int]:
    """The evidence as a population to draw from, negated for an upper bound, and its units."""
    values, clusters = _units(evidence)
    scale = evidence.scale
    if upper:
        values, scale = -values, scale.flipped()
    if evidence.owners is not None or (evidence.anytime and scale.binary):
        # Means of answers are not binary; and a fortune does not care.
        scale = type(scale)(scale.low, scale.high)
    found = observed(values, scale, paired=evidence.kind == "paired", clusters=clusters)
    units = len(values) if clusters is None else len(np.unique(clusters))
    return found, units


def _units(evidence: Evidence) -> tuple[Floats, Codes | None]:
    """What the bound is over: scored values or differences, several answers as their mean."""
    mask = evidence.scored[0]
    values = evidence.sides[0][mask]
    if evidence.kind == "paired":
        values = values - evidence.sides[1][mask]
    clusters = None if evidence.clusters is None else evidence.clusters[0][mask]
    if evidence.owners is None:
        return values, clusters
    owners = evidence.owners[0][mask]
    grouped = None if clusters is None else by_sample_cluster(clusters, owners)
    return by_sample(values, owners), grouped


def _quantile(row: RuleResult, question: Question) -> Checked:
    evidence = question.evidence
    if evidence.clusters is not None or evidence.owners is not None or evidence.anytime:
        return Checked(row, None, None, 0, "a quantile of clustered values is not simulated")
    values = evidence.sides[0][evidence.scored[0]]
    assert evidence.quantile is not None
    limit = question.threshold
    within = float((values <= limit if question.upper else values >= limit).mean())
    share = evidence.quantile if question.upper else 1 - evidence.quantile
    # Exact: the bound is an order statistic, so SHIP is a binomial event.
    false = quantile_ship_rate(len(values), share, share, row.alpha)
    power = quantile_ship_rate(len(values), share, within, row.alpha)
    return Checked(row, false, power, 0, "exact")


def _independent(row: RuleResult, question: Question, seed: int) -> Checked:
    """Each side drawn from itself; the candidate reweighted until the claim is exactly false."""
    evidence = question.evidence
    if evidence.anytime or "betting" in row.reason:
        note = "not simulated: betting on independent samples holds for any distribution"
        return Checked(row, None, None, 0, note)
    if evidence.clusters is not None or evidence.owners is not None:
        return Checked(row, None, None, 0, "clusters of independent samples are not simulated")
    mine, theirs = (s[m] for s, m in zip(evidence.sides, evidence.scored, strict=True))
    population = observed(mine, evidence.scale, paired=False)
    moved = tilted(population, float(theirs.mean()) + question.threshold)

    def rate(weights: Floats) -> float:
        rng = np.random.default_rng(seed)
        shipped = 0
        for _ in range(LOOP_REPETITIONS):
            drawn = rng.choice(population.values, len(mine), p=weights)
            against = rng.choice(theirs, len(theirs))
            try:
                found = independent_interval(drawn, against, evidence.scale, row.alpha)
            except NoInterval:
                continue
            shipped += found.low > question.threshold
        return shipped / LOOP_REPETITIONS

    false = None if moved is None else rate(moved.weights)
    power = rate(population.weights)
    return Checked(row, false, power, LOOP_REPETITIONS, "reweighted to the margin")
