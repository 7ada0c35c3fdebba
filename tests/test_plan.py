"""``harness.gate.plan``: which rows a plan has, and what a pilot or stated rates make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from made_runs import BINARY, guardrail, made_run, rules

from harness.errors import RulesError, UsageError
from harness.gate.plan import chance, plan
from harness.gate.planned import Options, Planned
from harness.gate.truth import Rates
from harness.pipeline.inputs import load
from harness.pipeline.unmeasured import unmeasured
from harness.store.runs import Run
from harness.types import Adapter, Data, LoraRecipe, Sample, Shots, Suite, Task, Variant

VARIANTS = (
    Variant("plain", "model"),
    Variant("shots", "model", shots=Shots(2)),
    Variant("tuned", "model", adapter=Adapter(LoraRecipe())),
)


def run_to_be(
    made, n: int = 200, clusters: int | None = None, scorers: Sequence[str] = ("exact_match",)
) -> Run:
    samples = tuple(
        Sample(
            f"s{i}",
            f"question {i}",
            ("a",),
            cluster=None if clusters is None else f"c{i % clusters}",
            metadata={"kind": "easy" if i % 4 else "hard"},
        )
        for i in range(n)
    )
    train = (Sample("t0", "another question", ("a",)), Sample("t1", "and one more", ("a",)))
    suite = Suite("s", [Task("t", Data(samples, train), scorers)], VARIANTS, made)
    return unmeasured(suite, load(suite, VARIANTS, seed=0, limit=None), made, 1)


def pilot(
    gain: float = 0.1, n: int = 100, kind: str = "run", names: Sequence[str] = (), **columns: Any
) -> Run:
    """exact_match of three variants; ``tuned`` is right that much more often, seeded."""
    rng = np.random.default_rng(7)
    right = rng.random(n) < 0.6
    gained = np.arange(n) < round((gain + 0.05) * n)
    lost = np.arange(n) >= n - round(0.05 * n)
    better = np.where(gained, 1.0, np.where(lost, 0.0, right))
    worse = np.where(gained, 0.0, np.where(lost, 1.0, right))
    values: Mapping[str, Any] = {
        "plain": worse.tolist(),
        "shots": right.astype(float).tolist(),
        "tuned": better.tolist(),
    }
    kept = {name: values[name] for name in (names or values)}
    adapters = ["tuned"]
    return made_run(
        kept, metric="exact_match", info=BINARY, kind=kind, adapters=adapters, **columns
    )


def rule(role: str = "superior", versus: str = "plain", margin: float = 0.0, **options: Any):
    return {
        "metric": "exact_match",
        "role": role,
        "versus": versus,
        "margin": margin,
        **options,
    }


def planned(
    *made: Mapping[str, Any],
    run: Mapping[str, Any] | None = None,
    pilot: Run | None = None,
    options: Options | None = None,
    **rates: float,
) -> list[Planned]:
    held = rules("tuned", *made)
    return plan(run_to_be(held, **(run or {})), held, Rates(**rates), pilot, options or Options())


def test_stated_rates_give_one_row_a_rule_at_the_suites_size() -> None:
    (row,) = planned(rule("non_inferior", "best", 0.03), discordance=0.15, run={"n": 400})
    assert (row.n, row.versus, row.references, row.effect) == (400, "best", 2, 0.0)
    assert row.samples[0.8] == pytest.approx(1000, rel=0.12)
    assert row.samples[0.9] == pytest.approx(1400, rel=0.12)
    assert 0 < row.power < 0.8
    assert row.smallest > -0.03
    assert chance([row]) == (max(0.0, 1 - 2 * (1 - row.power)), row.power)


def test_a_pilot_gives_a_row_for_each_reference_with_its_estimate() -> None:
    rows = planned(rule(versus="best"), pilot=pilot())
    assert [row.versus for row in rows] == ["plain", "shots"]
    assert rows[0].effect == pytest.approx(0.1, abs=0.02)
    for row in rows:
        assert row.bound < row.effect
        assert row.power_at_bound < row.power


def test_a_pilot_that_ships_has_power() -> None:
    shipped = pilot(0.2)
    (row,) = planned(rule(margin=0.05), pilot=shipped, run={"n": 100})
    assert row.power > 0.5
    assert row.samples[0.8] <= row.samples[0.9]


def test_a_small_pilot_speaks_for_a_large_suite() -> None:
    (row,) = planned(rule(), pilot=pilot(n=25), run={"n": 500})
    assert row.power is not None
    assert row.n == 500


def test_an_imported_pilot_is_the_same_pilot() -> None:
    measured, imported = (
        planned(rule(versus="plain"), pilot=pilot(kind=kind))[0] for kind in ("run", "import")
    )
    assert measured == imported


def test_the_only_task_of_a_pilot_is_the_only_task_of_the_suite() -> None:
    (row,) = planned(rule(), pilot=pilot(kind="import", task="default"))
    assert row.task == "t"
    assert row.power is not None


def test_a_stated_effect_reweights_the_pilot() -> None:
    (row,) = planned(rule("non_inferior", margin=0.05), pilot=pilot(), effect=-0.02)
    assert row.effect == pytest.approx(-0.02, abs=1e-4)
    assert row.bound is None


def test_never_is_said_where_no_number_of_samples_helps() -> None:
    (row,) = planned(rule(margin=0.05), discordance=0.2, effect=0.05)
    assert row.never
    assert row.samples == {0.8: None, 0.9: None}
    assert row.power <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5
    assert row.smallest > 0.05


def test_a_guardrails_limit_is_met_from_its_own_side() -> None:
    least, most = planned(
        guardrail("exact_match", min=0.9), guardrail("exact_match", max=0.99), rate=0.95
    )
    assert not least.never
    assert not most.never
    assert least.smallest > 0.9
    assert most.smallest < 0.99
    (beyond,) = planned(guardrail("exact_match", max=0.9), rate=0.95)
    assert beyond.never


def test_a_continuous_metric_takes_a_spread() -> None:
    made = {"metric": "f1", "role": "superior", "versus": "plain", "margin": 0.0}
    run = {"scorers": ("f1",), "n": 100}
    (row,) = planned(made, run=run, sd=0.2, effect=0.05)
    assert row.effect == pytest.approx(0.05, abs=1e-6)
    # Below 200 samples betting decides, which needs more than Student's t promises (0.80 at 99).
    assert row.power < 0.6
    with pytest.raises(UsageError, match="impossible"):
        planned(made, run=run, sd=1.5, effect=0.05)


def test_what_is_not_said_is_asked_for_by_rule() -> None:
    with pytest.raises(UsageError) as error:
        planned(rule(), guardrail("exact_match", min=0.9))
    for part in ("rule 1 (exact_match, superior): --discordance", "--effect", "rule 2", "--rate"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"discordance": 0.1, "effect": 0.2}, "at most 0.1"),
        ({"discordance": 0.1, "effect": 0.0, "pilot": pilot()}, "choose one"),
        ({"effect": 5.0, "pilot": pilot()}, "--effect 5"),
    ],
)
def test_rates_that_cannot_be_are_refused(rates: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(rule(), **rates)


def test_rules_that_do_not_fit_the_suite_are_refused_as_the_gate_does() -> None:
    with pytest.raises(RulesError, match=r"no metric 'exact_mach'.*Did you mean 'exact_match'"):
        planned({**rule(), "metric": "exact_mach"}, discordance=0.1, effect=0.1)
    with pytest.raises(RulesError, match="percent points"):
        planned(rule(margin=3), discordance=0.1, effect=0.1)


def test_a_pilot_without_the_candidate_is_no_pilot() -> None:
    with pytest.raises(RulesError, match="no variant 'tuned'"):
        planned(rule(), pilot=pilot(names=("plain", "shots")))


def test_a_pilot_without_a_reference_leaves_its_row_open() -> None:
    rows = planned(rule(versus="best"), pilot=pilot(names=("plain", "tuned")))
    assert [row.power is None for row in rows] == [False, True]
    assert "no variant 'shots'" in rows[1].notes[0]
    assert chance(rows) is None


def test_a_pilot_of_another_scale_is_refused() -> None:
    percent = made_run(
        {"plain": [50.0, 100.0] * 20, "tuned": [0.0, 100.0] * 20},
        metric="exact_match",
        info={"low": 0.0, "high": 100.0},
        kind="import",
    )
    with pytest.raises(RulesError, match="same definition"):
        planned(rule(), pilot=percent)


def test_clusters_are_units_and_few_of_them_never_ship() -> None:
    # Differences are alike within a cluster: 20 samples of it say little more than one.
    names = [f"c{i // 5}" for i in range(100)]
    together = planned(rule(), pilot=pilot(cluster=names), run={"clusters": 40})[0]
    alone = planned(rule(cluster=False), pilot=pilot(cluster=names), run={"clusters": 40})[0]
    assert together.power < alone.power
    few = planned(rule(min_samples=10), pilot=pilot(cluster=names), options=Options(samples=45))[0]
    assert few.power == 0.0, "45 samples are 9 clusters"
    assert few.samples[0.8] >= 50
    stated = planned(rule(), run={"clusters": 40}, discordance=0.2, effect=0.1)[0]
    assert "clusters" in stated.notes[0]


def test_slices_have_their_own_size() -> None:
    rows = planned(rule(slice="kind"), discordance=0.2, effect=0.1)
    assert {row.slice: row.n for row in rows} == {"kind=easy": 150, "kind=hard": 50}
    rows = planned(rule(slice="kind"), discordance=0.2, effect=0.1, options=Options(samples=80))
    assert {row.slice: row.n for row in rows} == {"kind=easy": 60, "kind=hard": 20}
    assert rows[1].power == 0.0, "a slice below min_samples never ships"


def test_latency_is_planned_from_a_probe_alone() -> None:
    held = guardrail("latency_p95", max=2.0)
    (row,) = planned(held)
    assert row.power is None
    assert "needs a pilot" in row.notes[0]
    (row,) = planned(held, pilot=pilot())
    assert "--probe" in row.notes[0]
    seconds = [1.0 + 0.001 * i for i in range(99)] + [3.0]
    (row,) = planned(held, pilot=pilot(probe=seconds))
    assert row.n == 59, "as many as a run probes for this rule"
    assert row.effect == pytest.approx(0.99)
    assert row.power == pytest.approx(0.99**59)
    assert row.share
    assert row.samples[0.8] > 59


def test_two_independent_samples_are_not_planned_in_silence() -> None:
    (row,) = planned(rule(pairing="independent"), pilot=pilot())
    assert row.power is None
    assert "independent" in row.notes[0]


def test_fewer_samples_than_a_verdict_needs_are_said() -> None:
    options = Options(samples=20)
    (row,) = planned(rule(), discordance=0.2, effect=0.1, options=options)
    assert row.power == 0.0
    assert "at least 30 samples" in row.notes[0]


def test_more_power_never_needs_fewer_samples() -> None:
    made = {"metric": "f1", "role": "superior", "versus": "plain", "margin": 0.0}
    for effect in (0.04, 0.05, 0.06):
        (row,) = planned(made, run={"scorers": ("f1",)}, sd=0.2, effect=effect)
        assert row.samples[0.8] <= row.samples[0.9]


def test_looking_often_needs_more_samples() -> None:
    once = planned(rule(), discordance=0.2, effect=0.1)[0]
    often = planned(rule(), discordance=0.2, effect=0.1, options=Options(batch=50))[0]
    assert often.power < once.power
    assert often.samples[0.8] > once.samples[0.8]


def test_the_same_plan_is_the_same_tomorrow() -> None:
    assert planned(rule(), pilot=pilot()) == planned(rule(), pilot=pilot())
