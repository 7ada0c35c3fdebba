"""Power of each rule before anything is measured, at the suite's size and at those it would need.

A plan is made on a run that has no scores yet: which rows a verdict will have, and over how many
samples, is decided by the code that decides it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.compare.aligned import TaskData, index
from harness.compare.comparisons import MIN_CLUSTERS
from harness.compare.derived import LATENCIES
from harness.compare.pairs import clusters_of, owners_of
from harness.errors import RulesError, UsageError
from harness.gate.decide import faults, known_variants
from harness.gate.places import places, references, tasks_of, unknown_candidate
from harness.gate.ruling import Question, metric_info
from harness.gate.selfcheck import all_ship
from harness.gate.truth import Piloted, Rates, Truth, Unknown, ask_pilot, from_pilot, stated, unsaid
from harness.gate.validity import Place
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
from harness.stats.simulate import REPETITIONS
from harness.store.runs import Run
from harness.types import Role, Rule, RuleSet

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


def plan(
    unmeasured: Run, rules: RuleSet, rates: Rates, pilot: Run | None, options: Options
) -> list[Planned]:
    """Each row that a run like ``unmeasured`` will be judged by, with its power. Seeded.

    Raises RulesError for rules that do not fit, and where the pilot lacks the candidate;
    UsageError where neither pilot nor ``rates`` say what a rule needs.
    """
    if wrong := faults(unmeasured, rules):
        raise RulesError("The rules do not fit a run of this suite:\n" + "\n".join(wrong))
    tasks = index(unmeasured)
    piloted = None if pilot is None else _indexed(pilot, rules.candidate)
    if piloted is None:
        _refuse_unsaid(tasks, rules, rates)
    elif rates.discordance is not None or rates.sd is not None:
        raise UsageError("--discordance and --sd state what --pilot measures: choose one.")
    cases = _cases(unmeasured, tasks, rules, apart=piloted is not None)
    return [_planned(case, tasks, piloted, rules.candidate, rates, options) for case in cases]


def chance(rows: Sequence[Planned]) -> tuple[float, float] | None:
    """Between which limits the chance lies that all gating rows ship (``joint_power``)."""
    return all_ship([row.power for row in rows if row.gating for _ in range(row.references)])


def _indexed(pilot: Run, candidate: str) -> dict[str, TaskData]:
    tasks = index(pilot)
    if missing := unknown_candidate(known_variants(pilot, tasks), candidate):
        raise RulesError(f"In the pilot {missing} Without one, state rates: --discordance, --sd.")
    return tasks


def _refuse_unsaid(tasks: Mapping[str, TaskData], rules: RuleSet, rates: Rates) -> None:
    lines = [
        f"rule {number} ({rule.metric}, {rule.role}): {what}"
        for number, rule in enumerate(rules.rules, 1)
        for what in dict.fromkeys(
            what
            for task in tasks_of(tasks, rule)
            for what in unsaid(rule, metric_info(rule, task), rates)
        )
    ]
    if lines:
        raise UsageError("A plan needs a pilot (--pilot RUN), or these rates:\n" + "\n".join(lines))


# ----------------------------------------------------------------------- the rows to come


@dataclass(frozen=True)
class _Case:
    rule: Rule
    place: Place
    alpha: float
    versus: str | None
    references: int
    samples: int
    clustered: bool


def _cases(
    run: Run, tasks: Mapping[str, TaskData], rules: RuleSet, *, apart: bool
) -> Iterator[_Case]:
    """``apart``: a row for each reference of ``best``; else one for all of them."""
    variants = known_variants(run, dict(tasks))
    for rule in rules.rules:
        against = references(variants, rule, rules.candidate)
        for task in tasks_of(tasks, rule):
            for versus in against if apart else against[:1]:
                for place in places(task, rule, rules.candidate, versus):
                    yield _Case(
                        rule,
                        place,
                        rule.alpha or rules.alpha,
                        versus if apart else rule.versus,
                        1 if apart else len(against),
                        *_size(rule, place),
                    )


def _size(rule: Rule, place: Place) -> tuple[int, bool]:
    """Samples at a place, and whether they come in clusters."""
    task = place.task
    asked = task.asked(rule.metric)
    at = np.flatnonzero(asked if place.keep is None else asked & place.keep)
    owners = owners_of(task, at)
    count = len(at) if owners is None else len(np.unique(owners))
    clusters = clusters_of(task, tuple(range(len(task.variants))), at) if rule.cluster else None
    groups = count if clusters is None else len(np.unique(clusters))
    return count, groups < count


def _planned(
    case: _Case,
    tasks: Mapping[str, TaskData],
    pilot: Mapping[str, TaskData] | None,
    candidate: str,
    rates: Rates,
    options: Options,
) -> Planned:
    row = _blank(case, options)
    anytime = options.batch is not None
    try:
        if pilot is None:
            info = metric_info(case.rule, case.place.task)
            truth = stated(case.rule, info, rates, anytime=anytime)
        else:
            asked = ask_pilot(
                pilot, case.rule, candidate, case.place, case.alpha, len(tasks), anytime=anytime
            )
            row = replace(row, notes=_about(asked, case))
            if asked.question.evidence.quantile is not None:
                return _quantile(row, case, asked.question)
            truth = from_pilot(asked, case.rule, rates)
        return _simulated(row, case, truth, options)
    except Unknown as unknown:
        return replace(row, notes=(*row.notes, str(unknown)))


def _blank(case: _Case, options: Options) -> Planned:
    rule, n = case.rule, case.samples
    if options.samples is not None:
        whole = int(case.place.task.touched.any(axis=0).sum())
        owners = case.place.task.owners
        whole = whole if owners is None else len(np.unique(owners))
        # A slice keeps its share of the task; a probe asks no more than it would.
        scaled = round(options.samples * n / whole)
        n = min(options.samples, n) if rule.metric in LATENCIES else scaled
    limit = rule.max if rule.max is not None else rule.min
    margin = (rule.margin or 0.0) * (1 if rule.role == "superior" else -1)
    return Planned(
        metric=rule.metric,
        role=rule.role,
        task=case.place.task.name,
        slice=case.place.slice,
        versus=case.versus,
        alpha=case.alpha,
        gating=not rule.advisory,
        threshold=margin if limit is None else limit,
        upper=rule.max is not None,
        n=n,
        references=case.references,
    )


def _about(asked: Piloted, case: _Case) -> tuple[str, ...]:
    evidence, notes = asked.question.evidence, []
    if asked.row.n_unscored:
        total = asked.row.n + asked.row.n_unscored
        notes.append(f"{asked.row.n_unscored} of the pilot's {total} are unscored and left out")
    if case.clustered and evidence.clusters is None and evidence.owners is None:
        notes.append("the suite's samples come in clusters, of which the pilot tells nothing")
    return tuple(notes)


# --------------------------------------------------------------------------- the numbers


def _simulated(row: Planned, case: _Case, truth: Truth, options: Options) -> Planned:
    sign = -1.0 if row.upper else 1.0
    design = Design(
        sign * row.threshold,
        row.alpha,
        unit=truth.unit,
        least=case.rule.min_samples,
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
    if case.clustered and not truth.clustered and not notes:
        notes = ("samples are taken as independent, but come in clusters: a pilot would tell more",)
    return replace(
        row,
        effect=sign * effect,
        assumed=truth.words,
        power=power(truth.population, design, row.n),
        bound=None if truth.bound is None else sign * truth.bound,
        power_at_bound=None if at_bound is None else power(at_bound, design, row.n),
        smallest=None if smallest is None else sign * smallest,
        samples={t: samples_needed(truth.population, design, t) for t in TARGETS},
        never=effect <= design.threshold,
        notes=notes,
    )


def _quantile(row: Planned, case: _Case, question: Question) -> Planned:
    """Exact: the bound of a quantile is an order statistic, so SHIP is a binomial event."""
    evidence = question.evidence
    if evidence.clusters is not None or evidence.owners is not None or evidence.anytime:
        raise Unknown("a quantile of clustered values is not planned")
    assert evidence.quantile is not None
    values = evidence.sides[0][evidence.scored[0]]
    kept = values <= question.threshold if question.upper else values >= question.threshold
    share = evidence.quantile if question.upper else 1 - evidence.quantile
    within, alpha, least = float(kept.mean()), row.alpha, case.rule.min_samples
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
