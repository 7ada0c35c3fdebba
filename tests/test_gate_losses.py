"""What was once found to turn a run that does not ship into one that does, and must not again."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from made_runs import BINARY, OWN, guardrail, made_run, non_inferior, rules, superior

from harness.errors import UsageError
from harness.gate import decide
from harness.rules import parse_rules
from harness.stats.intervals import difference_interval
from harness.stats.missing import worst_difference_low
from harness.stats.scale import Scale
from harness.store.runs import outputs_table, scores_table
from harness.types import Status


def without(run, lost):
    outputs = [row for row in run.outputs.to_pylist() if not lost(row)]
    scores = [row for row in run.scores.to_pylist() if not lost(row)]
    return replace(run, outputs=outputs_table(outputs), scores=scores_table(scores))


def of(variant, ids):
    return lambda row: row["variant"] == variant and row["sample_id"] in ids


def ids(at):
    return {f"s{i:05d}" for i in at}


def coin(rate=0.6, n=200):
    rng = np.random.default_rng(0)
    return (rng.random(n) < rate).astype(float), (rng.random(n) < rate).astype(float)


def test_independent_rows_lost_on_one_side():
    a, b = coin()
    run = made_run({"a": a.tolist(), "b": b.tolist()}, info=BINARY)
    made = rules("a", superior(margin=0.0, pairing="independent"))
    assert decide(run, made).status is Status.INCONCLUSIVE
    verdict = decide(without(run, of("a", ids(np.flatnonzero(a == 0)[:60]))), made)
    assert verdict.status is Status.INVALID
    assert "'a' has 140: samples are lost" in verdict.rules[0].reason


def test_a_guardrail_on_a_lone_variant_whose_rows_are_lost():
    a, _ = coin()
    run = made_run({"a": a.tolist()}, info=BINARY)
    made = rules("a", guardrail(min=0.7))
    assert decide(run, made).status is Status.HOLD
    lost = without(run, of("a", ids(np.flatnonzero(a == 0)[:60])))
    assert decide(lost, made).status is Status.INVALID


@pytest.mark.parametrize("what", ["entry", "direction", "task", "n"])
def test_what_a_measured_run_does_not_describe_ships_nothing(what):
    rng = np.random.default_rng(0)
    x = rng.normal(0.4, 0.05, 300).clip(0, 1)
    y = (x - 0.05 + rng.normal(0, 0.01, 300)).clip(0, 1)
    info = {**OWN, "higher_is_better": False}
    run = made_run({"a": x.tolist(), "b": y.tolist()}, info=info)
    made = rules("a", superior(margin=0.0))
    assert decide(run, made).status is Status.HOLD
    manifest = copy.deepcopy(run.manifest)
    if what == "entry":
        del manifest["tasks"]["t"]["metrics"]["m"]
    elif what == "direction":
        del manifest["tasks"]["t"]["metrics"]["m"]["higher_is_better"]
    elif what == "task":
        del manifest["tasks"]["t"]
    else:
        del manifest["tasks"]["t"]["n"]
    assert decide(replace(run, manifest=manifest), made).status is Status.INVALID


def test_a_blank_target_hides_no_other_target():
    run = made_run({"a": [1.0, 0.0] * 100, "b": [0.0, 0.0] * 100}, info=BINARY)
    made = rules("a", superior(margin=0.0))
    rows = run.outputs.to_pylist()
    for target in ('["another"]', None):
        rows[3]["target"] = target
        changed = replace(run, outputs=outputs_table(rows))
        assert decide(changed, made).status is Status.INVALID


def test_a_lost_row_does_not_take_its_slice_along():
    n = 700
    a, b = np.ones(n), np.ones(n)
    b[100:120] = 0
    a[:4] = 0
    told = ['{"lang": "de"}' if i < 60 else None for i in range(n)]
    run = made_run(
        {"a": a.tolist(), "b": b.tolist()},
        info=BINARY,
        kind="import",
        metadata={"a": told, "b": [None] * n},
        output=["x"] * n,
    )
    made = rules("a", non_inferior(margin=0.06, slice="lang"))
    assert decide(run, made).status is Status.INCONCLUSIVE
    assert decide(without(run, of("a", ids(range(4)))), made).status is not Status.SHIP


def test_a_lost_row_does_not_take_its_cluster_along():
    rng = np.random.default_rng(0)
    n = 300
    clusters = [f"c{i // 10}" for i in range(n)]
    b = 0.9 + np.tile([0.0, 0.05], n // 2)
    a = (b + 0.02 + rng.normal(0, 0.01, n)).clip(0, 1)
    a[:10] = 0
    run = made_run(
        {"a": a.tolist(), "b": b.tolist()},
        info=OWN,
        kind="import",
        cluster={"a": clusters, "b": [None] * n},
    )
    made = rules("a", non_inferior(margin=0.1))
    assert decide(run, made).status is Status.INCONCLUSIVE
    assert decide(without(run, of("a", ids(range(10)))), made).status is not Status.SHIP


def test_many_values_are_rounded_on_steps_of_the_range():
    """On steps of the values seen, taking the greatest away would lift all others."""
    d = np.zeros(25_000)
    d[:8] = -1.0
    d[8] = 4096 / (2049 - 0.001) - 1
    candidate = np.where(d < 0, 0.0, np.where(d > 0, 1.0, 0.5))
    reference = candidate - d
    scale = Scale(0.0, 1.0)
    whole = difference_interval(candidate, reference, scale, 0.05).low
    candidate[8] = np.nan
    assert worst_difference_low(candidate, reference, scale, 0.05) <= whole


def test_the_order_of_values_on_few_steps_never_matters():
    rng = np.random.default_rng(0)
    at = rng.integers(0, 8, (3000, 2))
    same = rng.random(3000) < 0.6
    at[same, 1] = at[same, 0]
    a, b = np.arange(8)[at[:, 0]] / 7, np.arange(8)[at[:, 1]] / 7
    order = np.argsort(a != b, kind="stable")
    one = difference_interval(a, b, Scale(0.0, 1.0), 0.05)
    other = difference_interval(a[order], b[order], Scale(0.0, 1.0), 0.05)
    assert one.low == pytest.approx(other.low, abs=1e-12)


def test_a_guardrail_in_traffic_asks_only_its_own_users():
    run = made_run(
        {"a": [1.0, 0.0, 1.0, 1.0] * 50, "b": [1.0, 0.0] * 100}, kind="import", info=BINARY
    )
    outputs, scores = run.outputs.to_pylist(), run.scores.to_pylist()
    for row in outputs + scores:
        row["sample_id"] = row["variant"] + row["sample_id"]
    run = replace(run, outputs=outputs_table(outputs), scores=scores_table(scores))
    compared = superior(margin=0.0, pairing="independent")
    apart = decide(run, rules("a", compared, guardrail(min=0.5, pairing="independent")))
    assert apart.status is Status.SHIP, apart.rules[1].reason
    assert decide(run, rules("a", compared, guardrail(min=0.5))).status is Status.INVALID


@pytest.mark.parametrize(
    "rule", [guardrail(max=5), guardrail(max=1), guardrail(min=-1), non_inferior(margin=1)]
)
def test_limits_that_every_value_keeps_are_refused(rule):
    run = made_run({"a": [1.0, 0.0, 1.0, 1.0] * 50, "b": [1.0, 0.0] * 100}, info=BINARY)
    with pytest.raises(UsageError, match="range"):
        decide(run, rules("a", rule), strict=True)
    assert decide(run, rules("a", rule)).status is Status.INVALID


def test_bounds_that_bound_nothing_are_refused():
    rule = superior(margin=0.0, bounds=[-1e300, 1e300])
    with pytest.raises(UsageError, match="bound nothing"):
        parse_rules({"candidate": "a", "rule": [rule]}, where="rules.toml")


def test_users_on_both_sides_are_not_looked_at_again_and_again():
    """Fortunes made on the two sides of one user are not independent, so their product is none."""
    rng = np.random.default_rng(0)
    values = {v: rng.random(60).tolist() for v in "ab"}
    run = made_run(values, cluster=[f"u{i}" for i in range(60)])
    made = rules("a", superior(margin=0.0, pairing="independent"))
    assert decide(run, made).status is not Status.INVALID
    (row,) = decide(run, made, sequential=True).rules
    assert row.status is Status.INVALID
    assert "on both sides" in row.reason
