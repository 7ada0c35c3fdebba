"""Which variant is the best system: the cheapest that is as good as every other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.gate.places import Tasks, Variants, places, tasks_of
from harness.gate.ruling import rule_on
from harness.types import Rule, RuleSet, Status


def recommend(
    tasks: Tasks, variants: Variants, rules: RuleSet, *, sequential: bool = False
) -> tuple[str | None, str]:
    """The cheapest variant proved non-inferior, at the rules' margins, to every other.

    It must also keep within the gating guardrails. Returns its name (or None) and the reason.
    """
    claims = _claims(rules)
    if not claims:
        return None, "No recommendation: no gating rule has a margin to hold the variants to."
    if len(variants) < 2:
        return None, "No recommendation: the run has no two variants to choose between."
    guardrails = [r for r in rules.rules if r.role == "guardrail" and not r.advisory]
    failures = []
    order, by = by_cost(tasks, list(variants))
    for name in order:
        failure = next(
            _failures(tasks, variants, claims, guardrails, name, rules.alpha, sequential), None
        )
        if failure is None:
            return name, f"'{name}' is the cheapest ({by}) that is proved as good as every other."
        failures.append(f"'{name}' is not proved {failure}")
    return None, "No recommendation: " + "; ".join(failures) + "."


def by_cost(tasks: Tasks, variants: list[str]) -> tuple[list[str], str]:
    """``variants`` from cheap to dear, and by what: cost, else tokens, else as listed.

    A measure counts where it is known for every variant: half of a price list orders nothing.
    """
    for by, columns in (("cost", ("cost",)), ("tokens", ("tokens_in", "tokens_out"))):
        price = {v: _mean_price(tasks, v, columns) for v in variants}
        if not any(np.isnan(p) for p in price.values()):
            return sorted(variants, key=lambda v: price[v]), f"by {by}"
    return variants, "as listed"


def _mean_price(tasks: Tasks, variant: str, columns: tuple[str, ...]) -> float:
    """Mean over tasks of the mean per sample; NaN where any output does not say."""
    means = []
    for task in tasks.values():
        row = task.row(variant)
        present = task.present[row]
        for column in columns:
            if column not in task.infos or not task.infos[column].derived or not present.any():
                return float("nan")
            means.append(float(task.values[column][row][present].mean()))
    return sum(means)


def _claims(rules: RuleSet) -> list[Rule]:
    """One non-inferiority claim for each metric, task and slice that gating rules speak of.

    Its margin is the least that a non-inferiority rule allows; where there is only a superiority
    rule, the gain that it calls worth having.
    """
    found: dict[tuple[str, str | None, str | None], Rule] = {}
    for rule in rules.rules:
        if rule.advisory or rule.margin is None:
            continue
        key = (rule.metric, rule.task, rule.slice)
        if key not in found or _rank(rule) < _rank(found[key]):
            found[key] = rule
    return [replace(rule, role="non_inferior") for rule in found.values()]


def _rank(rule: Rule) -> tuple[bool, float]:
    return rule.role != "non_inferior", rule.margin or 0.0


def _failures(
    tasks: Tasks,
    variants: Variants,
    claims: list[Rule],
    guardrails: list[Rule],
    name: str,
    alpha: float,
    sequential: bool,
) -> Iterator[str]:
    held: list[tuple[Rule, str | None]] = [(rule, None) for rule in guardrails]
    held += [(rule, other) for rule in claims for other in variants if other != name]
    for rule, versus in held:
        for task in tasks_of(tasks, rule):
            for place in places(task, rule, name, versus):
                row = rule_on(rule, name, place, rule.alpha or alpha, sequential=sequential).row
                if row.status is not Status.SHIP:
                    where = f"{rule.metric} ({task.name}{', ' + row.slice if row.slice else ''})"
                    if versus is None:
                        yield f"within the guardrail on {where}"
                    else:
                        yield f"non-inferior to '{versus}' on {where} at {rule.margin:g}"
