"""Comparisons and rules -> verdict. What a verdict means: ``docs/statistics.md``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from harness.compare.aligned import index
from harness.compare.batches import split_clusters
from harness.errors import RulesError
from harness.gate.places import (
    Tasks,
    Variants,
    fault,
    not_measured,
    places,
    references,
    tasks_of,
    unknown_candidate,
    without_adapter,
)
from harness.gate.recommend import recommend
from harness.gate.ruling import Ruling, rule_on
from harness.gate.targets import early_verdict
from harness.rules import BEST, parse_rules
from harness.store.runs import Run
from harness.types import Rule, RuleResult, RuleSet, Status, Verdict

SCHEMA_VERSION = 1
EXIT_CODES: Mapping[Status, int] = {
    Status.SHIP: 0,
    Status.HOLD: 1,
    Status.INCONCLUSIVE: 3,
    Status.INVALID: 4,
}


NO_RULES = Verdict(
    Status.INVALID,
    None,
    None,
    warnings=("INVALID: no gating rule: the run has no rules. Give a file with --rules.",),
)


def decide(
    run: Run, rules: RuleSet | None = None, *, strict: bool = False, sequential: bool = False
) -> Verdict:
    """Hold the candidate of ``rules`` (None: the run's own) to each of them.

    ``sequential``: with bounds that hold however often one looks; always so for a run that was
    itself stopped by looking (``run --sequential``).

    What the run cannot support makes a row INVALID and is said in its reason; so does a name that
    it does not know, or with ``strict`` (rules that someone has just written) RulesError. Raises
    RunError for a run that contradicts itself (doubled rows).
    """
    rules = own_rules(run) if rules is None else rules
    if rules is None:
        return NO_RULES
    sequential = sequential or bool(run.manifest.get("sequential"))
    tasks = _indexed(run, sequential=sequential)
    variants = known_variants(run, tasks)
    absent: Variants = run.manifest.get("not_measured") or {}
    if strict and (wrong := _faults(tasks, variants, absent, rules)):
        raise RulesError("The rules do not fit this run:\n" + "\n".join(wrong))
    if (early := early_verdict(run, rules)) is not None:
        return early
    rulings = list(_all_rulings(tasks, variants, absent, rules, sequential))
    rows = tuple(r.row for r in rulings)
    warnings = [*_about_run(run, sequential=sequential), *_precision(variants, rules)]
    gating = [row.status for row in rows if row.gating]
    if not gating:
        warnings.append("INVALID: no gating rule. Give rules that are not advisory.")
    missing = unknown_candidate(variants, rules.candidate)
    if missing and not rows:
        warnings.append(f"INVALID: {missing}")
    invalid = bool(run.tampered) or not gating
    status = Status.INVALID if invalid else min(gating, key=list(Status).index)
    if status is Status.INVALID:
        recommendation, reason = None, "No recommendation: the verdict is INVALID."
    elif rivals := without_adapter(absent):
        names = ", ".join(f"'{name}'" for name in rivals)
        recommendation, reason = None, f"No recommendation: not measured of the suite: {names}."
    else:
        recommendation, reason = recommend(tasks, variants, rules, sequential=sequential)
    if recommendation is None:
        warnings.append(reason)
    warnings += [w for r in rulings for w in r.warnings]
    return Verdict(status, recommendation, rules.candidate, rows, tuple(dict.fromkeys(warnings)))


def rulings_on(run: Run, rules: RuleSet | None = None, *, sequential: bool = False) -> list[Ruling]:
    """Each row of the verdict with the question it decided; none where the run has no rules."""
    rules = own_rules(run) if rules is None else rules
    if rules is None or early_verdict(run, rules) is not None:
        return []
    sequential = sequential or bool(run.manifest.get("sequential"))
    tasks = _indexed(run, sequential=sequential)
    absent: Variants = run.manifest.get("not_measured") or {}
    return list(_all_rulings(tasks, known_variants(run, tasks), absent, rules, sequential))


def _all_rulings(
    tasks: Tasks, variants: Variants, absent: Variants, rules: RuleSet, sequential: bool
) -> Iterator[Ruling]:
    for rule in rules.rules:
        yield from _rulings(tasks, variants, absent, rule, rules, sequential)


def own_rules(run: Run) -> RuleSet | None:
    """The rules that were stored with the run."""
    stored = run.manifest.get("rules")
    return None if stored is None else parse_rules(stored, where=f"{run.path}/run.json: rules")


def faults(run: Run, rules: RuleSet) -> list[str]:
    """What the rules name that ``run`` does not know, and margins that its metrics cannot have."""
    tasks = index(run)
    absent = run.manifest.get("not_measured") or {}
    return _faults(tasks, known_variants(run, tasks), absent, rules)


def _faults(tasks: Tasks, variants: Variants, absent: Variants, rules: RuleSet) -> list[str]:
    if rules.candidate in absent:
        return []
    missing = unknown_candidate(variants, rules.candidate)
    if missing:
        return [missing]
    return [
        f"rule {number} ({rule.metric}): {wrong}"
        for number, rule in enumerate(rules.rules, 1)
        if not not_measured(absent, rule, rules.candidate)
        and (wrong := fault(tasks, variants, rule, rules.candidate))
    ]


def known_variants(run: Run, tasks: Tasks) -> Variants:
    """The manifest's variants in its order, then any that only the tables have."""
    names = dict.fromkeys(
        [*run.manifest["variants"], *(v for t in tasks.values() for v in t.variants)]
    )
    return {name: run.manifest["variants"].get(name) or {} for name in names}


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """The object that ``gate --json`` writes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": verdict.status.value,
        "recommendation": verdict.recommendation,
        "candidate": verdict.candidate,
        "rules": [_row_to_dict(row) for row in verdict.rules],
        "warnings": list(verdict.warnings),
    }


def _row_to_dict(row: RuleResult) -> dict[str, Any]:
    values = {f.name: getattr(row, f.name) for f in fields(RuleResult)}
    return {**values, "status": row.status.value}


def _rulings(
    tasks: Tasks,
    variants: Variants,
    absent: Variants,
    rule: Rule,
    rules: RuleSet,
    sequential: bool,
) -> Iterator[Ruling]:
    alpha = rule.alpha or rules.alpha
    wrong = not_measured(absent, rule, rules.candidate) or fault(
        tasks, variants, rule, rules.candidate
    )
    if wrong:
        yield Ruling(_unheld(rule, alpha, wrong))
        return
    against = references(variants, rule, rules.candidate)
    if not against:
        yield Ruling(
            _unheld(rule, alpha, f"'{BEST}' means nothing: no other variant is without an adapter")
        )
    for task in tasks_of(tasks, rule):
        for versus in against:
            held = [
                rule_on(rule, rules.candidate, place, alpha, sequential=sequential)
                for place in places(task, rule, rules.candidate, versus)
            ]
            yield from held or [Ruling(_unheld(rule, alpha, f"task '{task.name}' has no samples"))]


def _unheld(rule: Rule, alpha: float, reason: str) -> RuleResult:
    """The row of a rule that could not be held against anything."""
    return RuleResult(
        metric=rule.metric,
        role=rule.role,
        task=rule.task,
        slice=None,
        versus=rule.versus,
        margin=rule.margin,
        alpha=alpha,
        ci_level=1 - 2 * alpha,
        estimate=None,
        ci_low=None,
        ci_high=None,
        n=0,
        n_unscored=0,
        status=Status.INVALID,
        gating=not rule.advisory,
        reason=reason,
    )


def _about_run(run: Run, *, sequential: bool) -> Iterator[str]:
    for name in run.tampered:
        yield f"INVALID: {name} changed after the run was written; measure or import again."
    batches = len(run.manifest.get("batches") or ())
    if batches > 1 and not sequential:
        yield (
            f"the run was imported in {batches} batches. These bounds hold for one look at a number"
            " of samples fixed beforehand; if it is gated after every batch, use --sequential."
        )


def _indexed(run: Run, *, sequential: bool) -> Tasks:
    tasks = index(run)
    split = split_clusters(run) if sequential else {}
    return {
        name: replace(task, split_cluster=split.get(name)) if name in split else task
        for name, task in tasks.items()
    }


def _precision(variants: Variants, rules: RuleSet) -> Iterator[str]:
    """A candidate at a precision that no reference has: part of the difference is the precision."""

    def precision(name: str) -> str | None:
        recipe = variants.get(name, {}).get("recipe") or {}
        return recipe.get("precision")

    mine = precision(rules.candidate)
    against = {
        str(v)
        for r in rules.rules
        for v in references(variants, r, rules.candidate)
        if v is not None
    }
    theirs = {p for p in map(precision, against) if p is not None}
    if mine and theirs and mine not in theirs:
        yield (
            f"Precision: '{rules.candidate}' runs at {mine} and every variant it is held against "
            f"at {', '.join(sorted(theirs))}. Part of the difference may be the precision, not the "
            f"adapter: add a variant at {mine} without it."
        )
