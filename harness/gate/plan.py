"""Power of each rule before anything is measured, at the suite's size and at those it would need.

A plan is made on a run that has no scores yet: which rows a verdict will have, and over how many
samples, is decided by the code that decides it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.compare.aligned import TaskData, index
from harness.compare.derived import LATENCIES
from harness.compare.pairs import clusters_of, owners_of
from harness.errors import RulesError, UsageError
from harness.gate.decide import faults, known_variants
from harness.gate.places import places, references, tasks_of, unknown_candidate
from harness.gate.planned import Options, Planned, of_quantile, simulated
from harness.gate.ruling import metric_info
from harness.gate.selfcheck import all_ship
from harness.gate.truth import Piloted, Rates, Unknown, ask_pilot, from_pilot, stated, unsaid
from harness.gate.validity import Place
from harness.store.runs import Run
from harness.types import Rule, RuleSet


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
    anytime, least = options.batch is not None, case.rule.min_samples
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
                return of_quantile(row, asked.question, least=least)
            truth = from_pilot(asked, case.rule, rates)
        return simulated(row, truth, options, least=least, clustered=case.clustered)
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
