"""A run of some of the suite's variants: a verdict never gets easier because a rival is missing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from made_runs import BINARY, guardrail, made_run, rules, superior

from harness.errors import RulesError
from harness.gate import decide
from harness.store.runs import Run
from harness.types import Status


def partial(absent: Mapping[str, bool]) -> Run:
    """``a`` beats ``b``; the variants in ``absent`` (name to has_adapter) were not measured."""
    run = made_run({"a": [1.0] * 40, "b": [0.0, 1.0] * 20}, info=BINARY, adapters=["a"])
    left = {name: {"has_adapter": adapter} for name, adapter in absent.items()}
    return Run(None, {**run.manifest, "not_measured": left}, run.outputs, run.scores)


@pytest.mark.parametrize("strict", [True, False])
def test_best_needs_every_variant_without_an_adapter(strict):
    made = rules("a", superior("best"))
    assert decide(partial({}), made, strict=strict).status is Status.SHIP
    verdict = decide(partial({"rag": False, "few_shot": False}), made, strict=strict)
    (row,) = verdict.rules
    assert (verdict.status, row.status, verdict.recommendation) == ("INVALID", "INVALID", None)
    assert "'rag', 'few_shot' were not measured" in row.reason
    assert "without --variant" in row.reason


def test_another_adapter_that_was_left_out_changes_nothing():
    whole = decide(partial({}), rules("a", superior("best")))
    verdict = decide(partial({"other_adapter": True}), rules("a", superior("best")))
    assert (verdict.status, verdict.recommendation) == (whole.status, whole.recommendation)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("candidate", "versus", "says"),
    [
        ("a", "rag", "'rag' was not measured"),
        ("rag", "b", "the candidate 'rag' was not measured"),
    ],
)
def test_a_name_that_was_left_out_is_known_and_invalid(candidate, versus, says, strict):
    verdict = decide(partial({"rag": False}), rules(candidate, superior(versus)), strict=strict)
    assert verdict.status is Status.INVALID
    assert says in verdict.rules[0].reason


def test_a_name_that_the_suite_never_had_is_still_a_mistake():
    with pytest.raises(RulesError, match="Did you mean"):
        decide(partial({"rag": False}), rules("a", superior("bb")), strict=True)


def test_a_rule_that_needs_no_rival_holds_but_recommends_nothing():
    verdict = decide(partial({"rag": False}), rules("a", superior("b"), guardrail(min=0.5)))
    assert verdict.status is Status.SHIP
    assert verdict.recommendation is None
    assert "No recommendation: not measured of the suite: 'rag'." in verdict.warnings
