"""No adapter needed: what stopped a run before training is decided again from its data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import BINARY, guardrail, joined, made_run, rules, superior

from harness.gate import decide
from harness.gate.targets import met, shortfalls
from harness.store.runs import Run
from harness.types import Status

GOOD, FAIR, BAD = [1.0] * 97 + [0.0] * 3, [1.0] * 93 + [0.0] * 7, [1.0, 0.0] * 50


def wanted(*targets, candidate="adapter", **options):
    return rules(candidate, superior("zero"), target=list(targets), **options)


def target(metric="m", **options):
    return {"metric": metric, **options}


def stopped(run: Run, absent=None, **staged) -> Run:
    """As `--staged` writes it: the adapter was not trained."""
    about = {
        "not_measured": absent or {"adapter": {"has_adapter": True}},
        "staged": {"stopped": True, "met_by": "few", **staged},
    }
    return replace(run, manifest={**run.manifest, **about})


def test_the_variant_that_meets_the_target_and_the_evidence():
    run = made_run({"zero": BAD, "few": GOOD}, info=BINARY)
    found = met(run, wanted(target(min=0.9)))
    assert found is not None
    assert found.variant == "few"
    (row,) = found.rows
    # Two variants were looked at, so each is held at half of alpha.
    assert (row.status, row.alpha, row.n) == (Status.SHIP, 0.025, 100)
    low = f"{row.ci_low:.4g}"
    assert f"'few' meets every target: m >= 0.9 (0.97, at least {low}, n = 100)" in found.reason
    assert row.ci_low >= 0.9


def test_each_variant_looked_at_makes_the_bound_stricter():
    """93 of 100 proves 0.88 at alpha = 0.05 and not at a tenth of it."""
    alone = made_run({"few": FAIR}, info=BINARY)
    assert met(alone, wanted(target(min=0.87))) is not None
    many = made_run({f"v{i}": BAD for i in range(9)} | {"few": FAIR}, info=BINARY)
    assert met(many, wanted(target(min=0.87))) is None


def test_all_targets_must_be_met_by_one_and_the_same_variant():
    quality = made_run({"zero": BAD, "few": GOOD}, info=BINARY, metric="quality")
    form = made_run({"zero": GOOD, "few": BAD}, info=BINARY, metric="form")
    import pyarrow as pa

    metrics = {"quality": BINARY, "form": BINARY}
    task = {**quality.manifest["tasks"]["t"], "metrics": metrics}
    run = replace(
        quality,
        manifest={**quality.manifest, "tasks": {"t": task}},
        scores=pa.concat_tables([quality.scores, form.scores]),
    )
    both = (target("quality", min=0.9), target("form", min=0.9))
    assert met(run, wanted(both[0])).variant == "few"
    assert met(run, wanted(both[1])).variant == "zero"
    assert met(run, wanted(*both)) is None


def test_a_target_without_a_task_holds_in_every_task_that_has_its_metric():
    easy = made_run({"few": GOOD}, info=BINARY, task="easy")
    hard = made_run({"few": BAD}, info=BINARY, task="hard")
    run = joined(easy, hard)
    assert met(run, wanted(target(min=0.9))) is None
    found = met(run, wanted(target(min=0.9, task="easy")))
    assert "m >= 0.9 in easy (0.97" in found.reason
    (why,) = shortfalls(run, wanted(target(min=0.9)))
    assert why.startswith("'few': m in hard: value >= 0.9 is disproved")
    assert why.endswith("0.5 measured")


def test_the_cheapest_that_meets_the_targets_is_taken():
    values = {"long": GOOD, "short": GOOD}
    run = made_run(
        values,
        info=BINARY,
        tokens_in={"long": [900] * 100, "short": [90] * 100},
        tokens_out=[5] * 100,
    )
    assert met(run, wanted(target(min=0.85))).variant == "short"


@pytest.mark.parametrize(
    "wrong",
    [
        target(min=0.99),  # open
        target("n", min=0.1),  # no such metric
        target(min=0.1, task="u"),  # no such task
        target(min=0.1, slice="colour"),  # no such key
        target(min=0.1, min_samples=101),  # too few
        target(min=0.1, advisory=True),  # decides nothing
        target("latency_p95", max=9.0),  # never measured
    ],
)
def test_what_is_not_proved_is_not_met(wrong):
    run = made_run({"few": GOOD}, info=BINARY)
    assert met(run, wanted(target(min=0.9))) is not None
    assert shortfalls(run, wanted(target(min=0.9))) == []
    assert met(run, wanted(wrong)) is None
    if not wrong.get("advisory"):
        assert met(run, wanted(target(min=0.9), wrong)) is None
    assert met(run, wanted()) is None


def test_only_variants_known_to_have_no_adapter_are_looked_at():
    run = made_run({"few": GOOD}, info=BINARY, adapters=["few"])
    assert met(run, wanted(target(min=0.9))) is None
    imported = made_run({"few": GOOD}, info=BINARY, kind="import")
    assert met(imported, wanted(target(min=0.9))) is None


def test_unscored_samples_count_as_the_worst():
    missing = [None] * 4 + GOOD[4:]
    run = made_run({"few": missing}, info=BINARY)
    assert met(made_run({"few": GOOD}, info=BINARY), wanted(target(min=0.92))) is not None
    assert met(run, wanted(target(min=0.92))) is None


def test_a_run_that_stopped_holds_the_adapter_back_and_names_the_variant():
    run = stopped(made_run({"zero": BAD, "few": GOOD}, info=BINARY))
    made = rules("adapter", superior("best"), guardrail(min=0.5), target=[target(min=0.9)])
    for strict in (True, False):
        verdict = decide(run, made, strict=strict)
        assert (verdict.status, verdict.recommendation) == (Status.HOLD, "few")
        assert [row.status for row in verdict.rules] == [Status.HOLD] * 2
        for row in verdict.rules:
            assert row.reason.startswith("no adapter needed: 'few' meets every target: m >= 0.9 (")


@pytest.mark.parametrize(
    "doubt",
    [
        lambda run: replace(run, scores=run.scores.slice(1)),  # a score is gone
        lambda run: replace(run, tampered=("scores.parquet",)),
        lambda run: stopped(run, stopped=False, met_by=None),
        lambda run: stopped(run, {"adapter": {"has_adapter": None}}),
        lambda run: stopped(run, {"other": {"has_adapter": True}}),
    ],
)
def test_a_run_that_no_longer_proves_it_is_invalid(doubt):
    run = stopped(made_run({"few": [1.0] * 29 + [1.0]}, info=BINARY))
    made = rules("adapter", guardrail(min=0.5), target=[target(min=0.85)])
    assert decide(run, made).status is Status.HOLD
    assert decide(doubt(run), made).status is Status.INVALID
    harder = rules("adapter", guardrail(min=0.5), target=[target(min=0.95)])
    assert decide(run, harder).status is Status.INVALID
    assert decide(run, rules("adapter", guardrail(min=0.5))).status is Status.INVALID
