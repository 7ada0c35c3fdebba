"""Prompt first: the variants without an adapter, and training only where none of them will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.compare.aligned import DERIVED
from harness.errors import UsageError, did_you_mean
from harness.gate import targets
from harness.pipeline import probe
from harness.pipeline.inputs import Inputs
from harness.pipeline.measuring import whole
from harness.pipeline.session import Work
from harness.store.runs import Run
from harness.types import RuleSet, Suite, Variant


def check(suite: Suite, variants: Sequence[Variant]) -> None:
    """Raise UsageError where there is nothing to stop for, or nothing to be spared."""
    rules = suite.rules
    if rules is None or not targets.gating(rules):
        raise UsageError(
            f"--staged stops before training when a variant without an adapter meets the suite's "
            f"targets, and the rules of suite '{suite.name}' have none. Add a [[target]] with "
            "'metric' and 'min' or 'max', or run without --staged."
        )
    adapted = {v.name: v.adapter is not None for v in suite.variants}
    if adapted.get(rules.candidate) is False:
        raise UsageError(
            f"--staged asks whether an adapter is needed, and the rules' candidate "
            f"'{rules.candidate}' has none. Run without --staged."
        )
    for wanted, remedy in (
        (False, "Name one with --variant as well"),
        (True, "Name one with --variant as well, or run without --staged: nothing is trained"),
    ):
        if not any((v.adapter is not None) is wanted for v in variants):
            what = "with" if wanted else "without"
            raise UsageError(
                f"--staged needs a variant {what} an adapter, and none of "
                f"{', '.join(v.name for v in variants)} is. {remedy}."
            )


def check_targets(rules: RuleSet, inputs: Sequence[Inputs]) -> None:
    """Raise UsageError for a target that names a task or metric that the suite has not."""
    for number, rule in enumerate(rules.targets, 1):
        tasks = [one.task.name for one in inputs]
        if rule.task not in (None, *tasks):
            hint = did_you_mean(str(rule.task), tasks)
            raise UsageError(f"target {number}: the suite has no task '{rule.task}'.{hint}")
        metrics = {
            m.name
            for one in inputs
            if rule.task in (None, one.task.name)
            for scorer in one.scorers
            for m in scorer.metrics
        } | set(DERIVED)
        if rule.metric not in metrics:
            hint = did_you_mean(rule.metric, metrics)
            raise UsageError(f"target {number}: no task has the metric '{rule.metric}'.{hint}")


def measure(work: Work, variants: Sequence[Variant]) -> Run:
    """The run of the variants without an adapter where one meets every target, else of all."""
    rules = work.session.suite.rules
    assert rules is not None
    bare = [v for v in variants if v.adapter is None]
    wanted = [*probe.of_rules(rules), *probe.of_targets(rules, len(bare))]
    first = whole(work, bare, probe.of_targets(rules, len(bare)))
    found = targets.met(first, rules)
    if found is not None:
        work.session.progress.say(f"Nothing is trained: {found.reason}.")
        about = {"stopped": True, "met_by": found.variant}
        return replace(first, manifest={**first.manifest, "staged": about})
    why = "; ".join(targets.shortfalls(first, rules))
    work.session.progress.say(
        f"No variant without an adapter is proved to meet every target ({why}): the adapters "
        "are next."
    )
    return whole(work, variants, wanted, staged={"stopped": False, "met_by": None})
