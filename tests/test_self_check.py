"""The gate held to its own promise on the data of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_runs import BINARY, guardrail, made_run, non_inferior, rules, superior

from harness.gate import decide, joint_power, self_check
from harness.store.runs import write_run
from harness.types import Status


def binary(n: int = 300, rate: float = 0.8):
    rng = np.random.default_rng(0)
    return {v: (rng.random(n) < p).astype(float).tolist() for v, p in (("a", rate), ("b", 0.5))}


MADE = (superior(), non_inferior(), guardrail(min=0.7), guardrail(max=0.9))


def test_every_row_is_simulated_at_its_size():
    run = made_run(binary(), info=BINARY)
    checked = self_check(run, rules("a", *MADE), repetitions=1000)
    assert [c.row for c in checked] == list(decide(run, rules("a", *MADE)).rules)
    for one in checked:
        assert one.false_ship is not None
        assert one.holds, one
        assert one.false_ship <= 0.05 + 3 * 0.0069
    assert checked[0].power > 0.99


def test_a_rule_that_cannot_be_seen_has_little_power():
    run = made_run(binary(60, 0.55), info=BINARY)
    (one,) = self_check(run, rules("a", superior()), repetitions=500)
    assert one.power < 0.5
    low, high = joint_power([one])
    assert low == pytest.approx(high) == one.power


def test_a_row_that_is_invalid_is_not_simulated():
    run = made_run(binary(20), info=BINARY)
    (one,) = self_check(run, rules("a", superior()))
    assert one.row.status is Status.INVALID
    assert (one.false_ship, one.power, one.holds) == (None, None, None)
    assert "not decided" in one.note
    assert joint_power([one]) is None


def test_clusters_repeats_looks_and_tokens_are_simulated_too():
    values = {v: np.random.default_rng(1).beta(a, 2, 240).tolist() for v, a in (("a", 6), ("b", 4))}
    clusters = [f"c{i // 4}" for i in range(240)]
    tokens = {"tokens_in": [50 + i % 7 for i in range(240)], "tokens_out": [9] * 240}
    run = made_run(values, cluster=clusters, **tokens)
    made = rules("a", superior(), guardrail("tokens_per_1k_requests", max=62_500))
    checked = self_check(run, made, repetitions=300)
    assert all(c.holds for c in checked), checked
    (looked,) = self_check(run, rules("a", superior()), sequential=True, repetitions=300)
    assert looked.holds
    assert looked.power is not None


def test_the_same_tomorrow(tmp_path, harness_cli):
    made = made_run(binary(), info=BINARY)
    chosen = {"candidate": "a", "rule": [superior(), non_inferior()]}
    manifest = {**made.manifest, "rules": chosen}
    folder = write_run(tmp_path / "run", manifest, made.outputs, made.scores)
    once = harness_cli("gate", folder, "--self-check", "--json")
    assert once.returncode == 0, once.stderr
    found = json.loads(once.stdout)
    assert [c["holds"] for c in found["self_check"]] == [True, True]
    assert json.loads(harness_cli("gate", folder, "--self-check", "--json").stdout) == found
    assert "self_check" not in json.loads(harness_cli("gate", folder, "--json").stdout)
    shown = harness_cli("gate", folder, "--self-check").stdout
    assert "false SHIP" in shown
    assert "all rules ship with chance" in shown
    looked = json.loads(harness_cli("gate", folder, "--sequential", "--json").stdout)
    assert "betting confidence sequence" in looked["rules"][0]["reason"]


def test_few_clusters_are_told():
    values = {v: np.random.default_rng(1).beta(a, 2, 240).tolist() for v, a in (("a", 9), ("b", 3))}
    run = made_run(values, cluster=[f"c{i // 12}" for i in range(240)])
    verdict = decide(run, rules("a", superior()))
    assert verdict.status is Status.SHIP
    assert any(
        "rests on 20 clusters. Harm that strikes fewer than 1 in 7" in w for w in verdict.warnings
    )
