"""Looking at a run as it grows: bounds that hold at every look, and what they need."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import BINARY, OWN, guardrail, made_run, non_inferior, rules, superior

from harness.compare import COLUMNS
from harness.gate import decide
from harness.store.import_run import import_scores
from harness.store.runs import read_run
from harness.types import Status


def values(n: int, gain: float = 0.1, seed: int = 0):
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.3, 0.6, n)
    return {"a": (base + gain + rng.normal(0, 0.02, n)).tolist(), "b": base.tolist()}


def test_a_look_at_any_time_is_wider_and_says_so():
    run = made_run(values(400))
    made = rules("a", superior())
    (once,) = decide(run, made).rules
    (always,) = decide(run, made, sequential=True).rules
    assert always.ci_low < once.ci_low < once.ci_high < always.ci_high
    assert always.status is Status.SHIP
    assert "betting confidence sequence" in always.reason


def test_a_run_that_was_stopped_by_looking_is_always_judged_so():
    run = made_run(values(400))
    looked = replace(
        run,
        manifest={**run.manifest, "sequential": {"batch": 50, "looks": 8, "stopped": True}},
    )
    made = rules("a", superior())
    assert decide(looked, made).rules == decide(run, made, sequential=True).rules


@pytest.mark.parametrize("info", [OWN, BINARY])
@pytest.mark.parametrize("rule", [superior(), non_inferior(), guardrail(min=0.5)])
def test_an_unscored_pair_never_helps_at_a_look(info, rule):
    rng = np.random.default_rng(1)
    made = values(60, 0.0)
    if info is BINARY:
        made = {v: (rng.random(60) < 0.6).astype(float).tolist() for v in "ab"}
    whole = decide(made_run(made, info=info), rules("a", rule), sequential=True).rules[0]
    for i in range(0, 60, 7):
        lost = {**made, "a": [None if j == i else x for j, x in enumerate(made["a"])]}
        row = decide(made_run(lost, info=info), rules("a", rule), sequential=True).rules[0]
        assert row.status is not Status.SHIP or whole.status is Status.SHIP


def test_an_unbounded_metric_cannot_be_looked_at():
    unbounded = {**OWN, "low": None, "high": None}
    run = made_run(values(100), info=unbounded)
    (row,) = decide(run, rules("a", superior()), sequential=True).rules
    assert row.status is Status.INVALID
    assert "every look" in row.reason


def rows(days, users=None):
    rng = np.random.default_rng(7)
    for day in days:
        for i in range(60):
            for variant, mean in (("canary", 0.75), ("stable", 0.5)):
                row = {
                    "sample_id": f"d{day}-{i}",
                    "variant": variant,
                    "scores": {"good": float(rng.random() < mean)},
                }
                if users:
                    row["cluster"] = users(day, i)
                yield row


def imported(tmp_path, *batches):
    out = tmp_path / "run"
    tmp_path.mkdir(exist_ok=True)
    for number, batch in enumerate(batches):
        source = tmp_path / f"{number}.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in batch))
        import_scores(source, out, append=number > 0)
    return read_run(out, columns=COLUMNS)


CANARY = rules("canary", {"metric": "good", "role": "superior", "versus": "stable", "margin": 0.0})


def test_each_days_scores_are_appended_and_looked_at(tmp_path):
    run = imported(tmp_path, *(list(rows([day])) for day in range(4)))
    verdict = decide(run, CANARY, sequential=True)
    assert verdict.rules[0].n == 240
    assert verdict.status is Status.SHIP
    # Without --sequential the verdict says that it stands for one look.
    assert any("4 batches" in w for w in decide(run, CANARY).warnings)
    assert not any("batches" in w for w in verdict.warnings)


def test_a_user_of_several_days_is_no_draw_of_one(tmp_path):
    def returning(day, i):
        return f"u{i % 30}"

    def of_the_day(day, i):
        return f"u{day}-{i % 30}"

    for users, status in ((returning, Status.INVALID), (of_the_day, Status.SHIP)):
        run = imported(tmp_path / users.__name__, *(list(rows([day], users)) for day in range(4)))
        verdict = decide(run, CANARY, sequential=True)
        assert verdict.status is status, verdict.rules[0].reason
    assert (
        "several batches"
        in decide(
            imported(tmp_path / "again", *(list(rows([d], returning)) for d in range(2))),
            CANARY,
            sequential=True,
        )
        .rules[0]
        .reason
    )
