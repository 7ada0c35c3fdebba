"""One row of a plan, and the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.compare.comparisons import MIN_CLUSTERS
from harness.gate.ruling import Question
from harness.gate.truth import Truth, Unknown
from harness.stats.binomial import binomial_interval
from harness.stats.power import (
    Design,
    power,
    quantile_samples,
    samples_needed,
    smallest_effect,
    smallest_share,
)
from harness.stats.quantile import quantile_ship_rate
from harness.stats.simulate import REPETITIONS, Population
from harness.types import Role

TARGETS = (0.8, 0.9)


@dataclass(frozen=True)
class Options:
    """How a plan is made."""

    samples: int | None = None
    """Eval samples of each task; None: as many as the suite has."""
    batch: int | None = None
    """Samples between two looks of a sequential run; None: not sequential."""
    repetitions: int = REPETITIONS
    seed: int = 0


@dataclass(frozen=True)
class Planned:
    """One row of the verdict to come. Values are in the rule's own terms: a difference, positive
    being better, or the candidate's value."""

    metric: str
    role: Role
    task: str
    slice: str | None
    versus: str | None
    alpha: float
    gating: bool
    threshold: float
    """What the true value must exceed (or, of a guardrail, keep)."""
    upper: bool
    n: int
    """Samples; of a latency: probed ones."""
    references: int = 1
    """Variants that the row stands for (``best``, without a pilot)."""
    effect: float | None = None
    """What is taken to be true; of a latency: the share of requests within the limit."""
    assumed: str = ""
    power: float | None = None
    bound: float | None = None
    """The pilot's unfavourable bound of ``effect``."""
    power_at_bound: float | None = None
    smallest: float | None = None
    """The smallest true value with 80% power at ``n``; of a latency: such a share."""
    samples: Mapping[float, int | None] = field(default_factory=dict)
    """Power -> samples; None: never, or more than ``stats.power.MOST``."""
    never: bool = False
    """Whether no number of samples helps: ``effect`` is on the wrong side of the threshold."""
    share: bool = False
    """Whether ``effect``, ``bound`` and ``smallest`` are shares of requests."""
    notes: tuple[str, ...] = ()


def simulated(
    row: Planned, truth: Truth, options: Options, *, least: int, clustered: bool
) -> Planned:
    """``row`` with its numbers where ``truth`` is true; ``clustered``: the suite's samples are.

    Raises Unknown where no bound can be had.
    """
    sign = -1.0 if row.upper else 1.0
    design = Design(
        sign * row.threshold,
        row.alpha,
        unit=truth.unit,
        least=least,
        least_units=MIN_CLUSTERS if truth.clustered else 1,
        batch=options.batch,
        repetitions=options.repetitions,
        seed=options.seed,
    )
    low = truth.population.ends[0]
    if options.batch is not None and (low is None or design.threshold <= low):
        raise Unknown("no bound holds at every look: the metric has no range, or the limit is its")
    at_bound = None if truth.bound is None else truth.family(truth.bound)
    effect = truth.population.mean()
    smallest = smallest_effect(truth.family, truth.population, design, row.n, TARGETS[0])
    notes = row.notes
    if row.n < design.smallest():
        notes = (*notes, f"a verdict needs at least {design.smallest():,} samples")
    if clustered and not truth.clustered and "pilot" not in truth.words:
        notes = (
            *notes,
            "samples are taken as independent, but come in clusters: a pilot would tell more",
        )
    return replace(
        row,
        effect=sign * effect,
        assumed=truth.words,
        power=power(truth.population, design, row.n),
        bound=None if truth.bound is None else sign * truth.bound,
        power_at_bound=None if at_bound is None else power(at_bound, design, row.n),
        smallest=None if smallest is None else sign * smallest,
        samples=_needed(truth.population, design),
        never=effect <= design.threshold,
        notes=notes,
    )


def _needed(population: Population, design: Design) -> dict[float, int | None]:
    found = [samples_needed(population, design, target) for target in TARGETS]
    # Two searches, each inexact, may cross where the method changes and power leaps.
    for i in reversed(range(len(found) - 1)):
        after, here = found[i + 1], found[i]
        found[i] = here if after is None or here is None else min(here, after)
    return dict(zip(TARGETS, found, strict=True))


def of_quantile(row: Planned, question: Question, *, least: int) -> Planned:
    """Exact: the bound of a quantile is an order statistic, so SHIP is a binomial event."""
    evidence = question.evidence
    if evidence.clusters is not None or evidence.owners is not None or evidence.anytime:
        raise Unknown("a quantile of clustered values is not planned")
    assert evidence.quantile is not None
    values = evidence.sides[0][evidence.scored[0]]
    kept = values <= question.threshold if question.upper else values >= question.threshold
    share = evidence.quantile if question.upper else 1 - evidence.quantile
    within, alpha = float(kept.mean()), row.alpha
    bound = binomial_interval(int(kept.sum()), len(kept), alpha).low

    def rate(true: float) -> float:
        return quantile_ship_rate(row.n, share, true, alpha) if row.n >= least else 0.0

    never = within <= share
    return replace(
        row,
        effect=within,
        assumed="pilot",
        power=rate(within),
        bound=bound,
        power_at_bound=rate(bound),
        smallest=smallest_share(row.n, share, alpha, TARGETS[0]) if row.n >= least else None,
        samples={
            t: None if never else quantile_samples(share, within, alpha, t, least) for t in TARGETS
        },
        never=never,
        share=True,
    )
