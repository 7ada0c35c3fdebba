"""``pairing = "independent"``: other users saw the two sides."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_runs import made_run, rules, superior

from harness.compare import COLUMNS
from harness.errors import RulesError
from harness.gate import decide
from harness.rules import parse_rules
from harness.store.import_run import import_scores
from harness.store.runs import read_run
from harness.types import Status


def traffic(tmp_path, rates, *, n=400, per_user=1, effect=0.0, lost=0):
    """Each request is seen by one side; a user stays on one side."""
    rng = np.random.default_rng(0)
    path = tmp_path / "scores.jsonl"
    with path.open("w") as file:
        for variant, rate in rates.items():
            for i in range(n):
                user = i // per_user
                if i % per_user == 0:
                    chance = np.clip(rate + rng.normal(0, effect), 0, 1)
                row = {
                    "sample_id": f"{variant}-{i}",
                    "variant": variant,
                    "cluster": f"{variant}-u{user}",
                    "scores": {"good": None if i < lost else float(rng.random() < chance)},
                    "input": f"{variant} was asked {i}",
                }
                file.write(json.dumps(row) + "\n")
    import_scores(path, tmp_path / "run")
    return read_run(tmp_path / "run", columns=COLUMNS)


def rule(**options):
    return rules(
        "new",
        {
            "metric": "good",
            "role": "superior",
            "versus": "old",
            "margin": 0.0,
            "pairing": "independent",
            **options,
        },
    )


def test_different_samples_are_compared(tmp_path):
    run = traffic(tmp_path, {"new": 0.7, "old": 0.55})
    (row,) = decide(run, rule()).rules
    assert (row.status, row.n, row.n_unscored) == (Status.SHIP, 800, 0)
    assert "Newcombe" in row.reason
    # As pairs the same run has nothing in common.
    (paired,) = decide(run, rule(pairing="paired")).rules
    assert paired.status is Status.INVALID


def test_a_difference_that_is_not_there_does_not_ship(tmp_path):
    run = traffic(tmp_path, {"new": 0.6, "old": 0.6})
    assert decide(run, rule()).status is Status.INCONCLUSIVE
    assert decide(run, rule(margin=0.3)).status is Status.HOLD


def test_users_are_the_clusters(tmp_path):
    run = traffic(tmp_path, {"new": 0.7, "old": 0.5}, per_user=10, effect=0.3)
    (row,) = decide(run, rule()).rules
    (alone,) = decide(run, rule(cluster=False)).rules
    assert "80 clusters" in row.reason
    assert row.ci_low < alone.ci_low < alone.ci_high < row.ci_high
    assert any("cluster = false" in w for w in decide(run, rule(cluster=False)).warnings)


def test_chance_must_have_decided_who_saw_what(tmp_path):
    run = traffic(tmp_path, {"new": 0.7, "old": 0.55})
    assert any("chance alone" in w for w in decide(run, rule()).warnings)


def test_unscored_are_counted_on_each_side(tmp_path):
    run = traffic(tmp_path, {"new": 0.7, "old": 0.55}, lost=10)
    (row,) = decide(run, rule()).rules
    assert (row.n, row.n_unscored) == (780, 20)
    assert decide(run, rule(max_unscored=0.02)).status is Status.INVALID


def test_the_smaller_side_must_have_enough(tmp_path):
    run = traffic(tmp_path, {"new": 0.9, "old": 0.3}, n=29)
    assert decide(run, rule()).status is Status.INVALID
    assert "29 scored samples" in decide(run, rule()).rules[0].reason


def test_a_side_of_one_value_is_an_answer_and_both_of_the_same_are_none():
    values = {"a": [1.0] * 40, "b": [0.0, 1.0] * 20}
    verdict = decide(made_run(values), rules("a", superior(pairing="independent")))
    assert verdict.status is Status.SHIP
    assert any("one and the same m (1)" in w for w in verdict.warnings)
    same = {"a": [1.0] * 40, "b": [1.0] * 40}
    verdict = decide(made_run(same), rules("a", superior(pairing="independent")))
    assert verdict.status is Status.INVALID


@pytest.mark.parametrize("pairing", ["unpaired", 1, None])
def test_a_pairing_that_is_none_is_refused(pairing):
    made = {"metric": "m", "role": "superior", "versus": "b", "margin": 0, "pairing": pairing}
    with pytest.raises(RulesError, match="'pairing' must be"):
        parse_rules({"candidate": "a", "rule": [made]}, where="x.toml")
