"""Is an adapter needed at all? The targets that a variant without one must be proved to meet.

A run of ``--staged`` stops before training where one does. Here that is decided, and, from the
stored run, decided again each time it is gated: what stopped the run must still be in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.compare.aligned import index
from harness.gate.places import Tasks, Variants, fault, places, tasks_of
from harness.gate.recommend import by_cost
from harness.gate.ruling import rule_on
from harness.store.runs import Run
from harness.types import Rule, RuleResult, RuleSet, Status, Verdict


@dataclass(frozen=True)
class Met:
    """A variant without an adapter that is proved to meet every target."""

    variant: str
    rows: tuple[RuleResult, ...]
    """One for each target, task and slice; all SHIP."""
    reason: str
    """A sentence with the evidence."""


def gating(rules: RuleSet) -> tuple[Rule, ...]:
    """The targets that decide: all but the advisory ones."""
    return tuple(rule for rule in rules.targets if not rule.advisory)


def looked_at(run: Run) -> list[str]:
    """The run's variants that are known to have no adapter, as listed."""
    return [v for v, m in run.manifest["variants"].items() if m.get("has_adapter") is False]


def met(run: Run, rules: RuleSet) -> Met | None:
    """The cheapest variant without an adapter that is proved to meet every target; None: none is.

    A target without a task must hold in every task that has its metric. Where k variants are
    looked at, each is held at alpha / k (Bonferroni), so that "no adapter needed" is said wrongly
    with a probability of at most alpha. One variant must meet all its targets, which needs no
    correction. Raises RunError for a run that contradicts itself (doubled rows).
    """
    wanted, names = gating(rules), looked_at(run)
    if not wanted or not names:
        return None
    tasks: Tasks = index(run)
    variants: Variants = run.manifest["variants"]
    order, by = by_cost(tasks, names)
    for name in order:
        if any(fault(tasks, variants, rule, name) for rule in wanted):
            continue
        found = [pair for rule in wanted for pair in _held(tasks, rule, name, rules, len(names))]
        rows = tuple(row for _, row in found if row is not None and row.status is Status.SHIP)
        if len(rows) == len(found):
            evidence = [_evidence(rule, row, len(tasks) > 1) for rule, row in found if row]
            return Met(name, rows, _reason(name, by, evidence, len(names)))
    return None


def shortfalls(run: Run, rules: RuleSet) -> list[str]:
    """Why each variant without an adapter is not proved to meet the targets, a phrase each."""
    wanted, names = gating(rules), looked_at(run)
    tasks: Tasks = index(run)
    variants: Variants = run.manifest["variants"]
    found = []
    for name in names:
        why = next(_misses(tasks, variants, wanted, name, rules, len(names)), None)
        if why is not None:
            found.append(f"'{name}': {why}")
    return found


def _misses(
    tasks: Tasks,
    variants: Variants,
    wanted: tuple[Rule, ...],
    name: str,
    rules: RuleSet,
    looks: int,
) -> Iterator[str]:
    for rule in wanted:
        if wrong := fault(tasks, variants, rule, name):
            yield wrong
            continue
        for held, row in _held(tasks, rule, name, rules, looks):
            if row is None:
                yield f"{held.metric}: no samples"
            elif row.status is not Status.SHIP:
                where = " ".join(x for x in (row.task, row.slice) if x)
                yield f"{held.metric} in {where}: {row.reason}{_estimate(row)}"


def _estimate(row: RuleResult) -> str:
    return "" if row.estimate is None else f", {row.estimate:.4g} measured"


def _held(
    tasks: Tasks, rule: Rule, name: str, rules: RuleSet, looks: int
) -> Iterator[tuple[Rule, RuleResult | None]]:
    """The target at each place where it must hold; None for a task without such a place."""
    alpha = (rule.alpha or rules.alpha) / looks
    for task in tasks_of(tasks, rule):
        held = list(places(task, rule, name, None))
        yield from ((rule, rule_on(rule, name, place, alpha).row) for place in held)
        if not held:
            yield rule, None


def _reason(name: str, by: str, evidence: list[str], looks: int) -> str:
    text = f"no adapter needed: '{name}' meets every target: {'; '.join(evidence)}"
    if looks == 1:
        return text
    return f"{text}; the cheapest that does ({by}) of {looks}, each held at alpha / {looks}"


def _evidence(rule: Rule, row: RuleResult, name_task: bool) -> str:
    """``exact_match >= 0.9 (0.95, at least 0.92, n = 120)``."""
    where = " ".join(x for x in (row.task if name_task else None, row.slice) if x)
    if rule.max is not None:
        claim, bound = f"<= {rule.max:g}", f"at most {row.ci_high:.4g}"
    else:
        claim, bound = f">= {rule.min:g}", f"at least {row.ci_low:.4g}"
    return (
        f"{rule.metric} {claim}{f' in {where}' if where else ''} "
        f"({row.estimate:.4g}, {bound}, n = {row.n:,})"
    )


def early_verdict(run: Run, rules: RuleSet) -> Verdict | None:
    """HOLD where ``run`` stopped before training and still proves that no adapter is needed.

    None for every other run, also for one that stopped and whose data do not prove it: it did not
    measure the candidate, and the rules say what that makes it.
    """
    staged = run.manifest.get("staged") or {}
    absent: Variants = run.manifest.get("not_measured") or {}
    needless = absent.get(rules.candidate, {}).get("has_adapter") is True
    if not staged.get("stopped") or not needless or run.tampered:
        return None
    found = met(run, rules)
    if found is None:
        return None
    rows = tuple(_not_needed(rule, rule.alpha or rules.alpha, found.reason) for rule in rules.rules)
    # Each row says why; where there are no rules, nothing else would.
    said = () if rows else (f"{found.reason[0].upper()}{found.reason[1:]}.",)
    return Verdict(Status.HOLD, found.variant, rules.candidate, rows, said)


def _not_needed(rule: Rule, alpha: float, reason: str) -> RuleResult:
    return RuleResult(
        metric=rule.metric,
        role=rule.role,
        task=rule.task,
        slice=rule.slice,
        versus=rule.versus,
        margin=rule.margin,
        alpha=alpha,
        ci_level=1 - 2 * alpha,
        estimate=None,
        ci_low=None,
        ci_high=None,
        n=0,
        n_unscored=0,
        status=Status.HOLD,
        gating=not rule.advisory,
        reason=reason,
    )
