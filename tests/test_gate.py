"""What a verdict means, clause by clause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import (
    BINARY,
    BOUNDED,
    OWN,
    guardrail,
    joined,
    made_run,
    non_inferior,
    rules,
    superior,
)

from harness.errors import RulesError, RunError
from harness.gate import EXIT_CODES, decide, differences, verdict_to_dict
from harness.types import Status

SHIP, HOLD, OPEN, INVALID = Status.SHIP, Status.HOLD, Status.INCONCLUSIVE, Status.INVALID
IMPORTED = {**dict.fromkeys(("definition", "higher_is_better", "version")), "binary": False}
UNIT = {**IMPORTED, "low": 0.0, "high": 1.0}
UNBOUNDED = {**IMPORTED, "low": None, "high": None}


def noise(seed: int, n: int = 100, centre: float = 0.5, spread: float = 0.05) -> list[float]:
    return np.random.default_rng(seed).normal(centre, spread, n).clip(0, 1).tolist()


def shifted(values, by):
    return [min(1.0, max(0.0, v + by)) for v in values]


def gained(by: float, n: int = 100, spread: float = 0.02):
    """``b``, and ``a`` that gains ``by`` with a little noise (mean exactly ``by``)."""
    base = np.array(noise(1, n, spread=0.02))
    extra = np.random.default_rng(2).normal(0, spread, n)
    return {"a": (base + by + extra - extra.mean()).tolist(), "b": base.tolist()}


def row_of(run, rule, candidate="a", **options):
    verdict = decide(run, rules(candidate, rule, **options))
    assert len(verdict.rules) == 1
    assert verdict.status is verdict.rules[0].status
    return verdict.rules[0]


# ------------------------------------------------------------------------------ the roles


@pytest.mark.parametrize(
    ("rule", "gain", "status"),
    [
        (superior(margin=0.1), 0.15, SHIP),
        (superior(margin=0.1), 0.05, HOLD),
        (superior(margin=0.1), 0.101, OPEN),
        (superior(margin=0), 0.05, SHIP),
        (superior(margin=0), -0.05, HOLD),
        (non_inferior(margin=0.1), -0.05, SHIP),
        (non_inferior(margin=0.1), -0.15, HOLD),
        (non_inferior(margin=0.1), -0.099, OPEN),
    ],
)
def test_a_difference_decides(rule, gain, status):
    row = row_of(made_run(gained(gain)), rule)
    assert row.status is status, row.reason
    assert row.estimate == pytest.approx(gain)
    assert (row.more_samples is not None) == (status is OPEN)


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"min": 0.4}, SHIP),
        ({"min": 0.6}, HOLD),
        ({"min": 0.5}, OPEN),
        ({"max": 0.6}, SHIP),
        ({"max": 0.4}, HOLD),
        ({"max": 0.5}, OPEN),
    ],
)
def test_a_guardrail_holds_the_candidates_own_value(limits, status):
    row = row_of(made_run({"a": noise(1), "b": noise(2)}), guardrail(**limits))
    assert row.status is status, row.reason
    assert (row.versus, row.margin) == (None, None)
    assert row.estimate == pytest.approx(np.mean(noise(1)))


def test_the_bounds_are_one_sided_at_alpha():
    values = gained(0.05, n=400, spread=0.1)
    d = np.subtract(values["a"], values["b"])
    row = row_of(made_run(values), superior(margin=0.04), alpha=0.1)
    half = 1.2837 * d.std(ddof=1) / 20  # t with 399 degrees of freedom, one-sided at 0.1
    assert (row.alpha, row.ci_level) == (0.1, 0.8)
    # A touch wider than plain t, as the draws are a little skewed.
    assert 0.05 - 1.05 * half <= row.ci_low <= 0.05 - half + 1e-6
    assert 0.05 + half - 1e-6 <= row.ci_high <= 0.05 + 1.05 * half


def test_what_a_sample_cannot_show_bounds_the_difference_too():
    values = gained(0.05, n=400, spread=0.001)
    row = row_of(made_run(values), superior(), alpha=0.05)
    unseen = 1 - 0.05 ** (1 / 400)  # This share of harm shows in none of 400 with chance 0.05.
    assert row.ci_low == pytest.approx(0.05 - unseen * 1.05, abs=1e-6)
    assert row_of(made_run(values), superior(alpha=0.2), alpha=0.1).alpha == 0.2


def test_a_bound_on_the_margin_proves_and_disproves_as_written():
    """L > margin is strict, U <= margin is not."""
    run = made_run(gained(0.05))
    row = row_of(run, superior())
    assert row_of(run, superior(margin=row.ci_low)).status is OPEN
    assert row_of(run, superior(margin=row.ci_high)).status is HOLD
    value = row_of(run, guardrail(min=0.1))
    assert row_of(run, guardrail(min=value.ci_low)).status is SHIP
    assert row_of(run, guardrail(max=value.ci_high)).status is SHIP
    assert row_of(run, guardrail(max=value.ci_low)).status is OPEN


def test_lower_is_better_flips_the_sign():
    run = made_run(gained(-0.15), info={**OWN, "higher_is_better": False})
    row = row_of(run, superior(margin=0.1))
    assert row.status is SHIP
    assert row.estimate == pytest.approx(0.15)


def test_the_rule_gives_an_imported_metric_its_direction():
    run = made_run(gained(-0.15), info=UNIT, kind="import")
    assert row_of(run, superior(margin=0.1)).status is HOLD
    assert row_of(run, superior(margin=0.1, direction="lower")).status is SHIP


# ------------------------------------------------------------- tasks, references and slices


def test_best_means_every_variant_without_an_adapter():
    values = {**gained(0.1), "c": gained(0.0)["a"], "other": gained(0.3)["a"]}
    run = made_run(values, adapters=["a", "other"])
    verdict = decide(run, rules("a", superior("best", 0.05)))
    assert [r.versus for r in verdict.rules] == ["b", "c"]
    assert verdict.status is SHIP


def test_best_in_an_imported_run_means_every_other_variant():
    values = {**gained(0.1), "c": gained(0.3)["a"]}
    verdict = decide(made_run(values, info=UNIT, kind="import"), rules("a", superior("best")))
    assert {r.versus: r.status for r in verdict.rules} == {"b": SHIP, "c": HOLD}
    assert verdict.status is HOLD


def test_best_of_nothing_is_invalid():
    run = made_run(gained(0.1), adapters=["a", "b"])
    assert row_of(run, superior("best")).status is INVALID


def test_a_rule_without_task_holds_in_every_task_that_has_its_metric():
    run = joined(
        made_run(gained(0.1)),
        made_run(gained(-0.1), task="u"),
        made_run(gained(-0.1), task="v", metric="other"),
    )
    verdict = decide(run, rules("a", superior()))
    assert {r.task: r.status for r in verdict.rules} == {"t": SHIP, "u": HOLD}
    assert decide(run, rules("a", superior(task="t"))).status is SHIP


def sliced(gains: dict[str, tuple[int, float]], **options):
    values: dict[str, list[float]] = {"a": [], "b": []}
    metadata = []
    for name, (n, gain) in gains.items():
        part = gained(gain, n)
        for variant, all_values in values.items():
            all_values += part[variant]
        metadata += ["{}" if name == "-" else f'{{"topic": "{name}"}}'] * n
    return made_run(values, metadata=metadata, **options)


def test_a_slice_rule_holds_in_every_slice():
    run = sliced({"x": (60, 0.1), "y": (60, -0.1)})
    verdict = decide(run, rules("a", superior(slice="topic")))
    assert {r.slice: r.status for r in verdict.rules} == {"topic=x": SHIP, "topic=y": HOLD}
    assert [r.n for r in verdict.rules] == [60, 60]


def test_a_small_slice_is_inconclusive_and_none_is_dropped():
    run = sliced({"x": (60, 0.2), "y": (29, 0.2), "-": (30, 0.2)})
    verdict = decide(run, rules("a", superior(slice="topic")))
    found = {r.slice: (r.status, r.n) for r in verdict.rules}
    assert found == {"topic=x": (SHIP, 60), "topic=y": (OPEN, 29), "topic not given": (SHIP, 30)}
    assert verdict.status is OPEN
    assert next(r for r in verdict.rules if r.slice == "topic=y").more_samples == 1


def test_guardrails_hold_in_slices_too():
    run = sliced({"x": (60, 0.3), "y": (60, 0.0)})
    verdict = decide(run, rules("a", guardrail(min=0.6, slice="topic")))
    assert {r.slice: r.status for r in verdict.rules} == {"topic=x": SHIP, "topic=y": HOLD}


@pytest.mark.parametrize(
    ("made", "status"),
    [
        ([superior(), superior(margin=0.3), superior("c")], HOLD),
        ([superior(), superior(margin=0.1)], OPEN),
        ([superior(), superior(margin=0.3), superior(min_samples=101)], INVALID),
        ([superior(), superior(margin=0.01)], SHIP),
        ([superior(), superior(margin=0.3, advisory=True)], SHIP),
        ([superior(), superior(min_samples=101, advisory=True)], SHIP),
        ([superior(advisory=True)], INVALID),
        ([], INVALID),
    ],
)
def test_the_worst_gating_row_decides(made, status):
    verdict = decide(made_run({**gained(0.1), "c": gained(0.3)["a"]}), rules("a", *made))
    assert verdict.status is status


# ---------------------------------------------------------------------------- unscored


def test_too_many_unscored_are_invalid():
    values = gained(0.2)
    values["a"][:6] = [None] * 6
    row = row_of(made_run(values), superior())
    assert (row.status, row.n, row.n_unscored) == (INVALID, 94, 6)
    assert row_of(made_run(values), superior(max_unscored=0.06)).status is SHIP


def test_unscored_pairs_at_their_worst_must_not_change_a_ship():
    values = gained(0.05)
    assert row_of(made_run(values), superior()).status is SHIP
    values["a"][:4] = [None] * 4
    row = row_of(made_run(values), superior())
    assert row.status is OPEN
    assert row.ci_low > 0  # The estimate leaves the pairs out.
    assert row.more_samples is None
    assert "at their worst" in row.reason


def test_a_sample_that_one_side_lacks_is_unscored():
    values = gained(0.2)
    values["a"] = values["a"][:-3]
    row = row_of(made_run(values), superior())
    assert (row.n, row.n_unscored) == (97, 3)
    guarded = row_of(made_run(values), guardrail(min=0.1))
    assert (guarded.n, guarded.n_unscored) == (97, 3)


def test_a_score_without_an_output_is_unscored():
    run = made_run(gained(0.2))
    row = row_of(replace(run, outputs=run.outputs.slice(3)), superior())
    assert (row.n, row.n_unscored) == (97, 3)


def test_unscored_pairs_of_an_unbounded_metric_are_invalid():
    values = gained(0.2)
    values["b"][0] = None
    run = made_run(values, info=UNBOUNDED, kind="import")
    assert row_of(run, superior()).status is INVALID
    assert row_of(run, superior(bounds=[0, 1])).status is SHIP


def test_samples_that_both_sides_lost_are_invalid():
    run = made_run(gained(0.2))
    run.manifest["tasks"]["t"]["n"] = 101
    assert "samples are lost" in row_of(run, superior()).reason


# ----------------------------------------------------------------------- no information


def test_one_constant_on_both_sides_is_invalid_unless_the_outputs_are_the_same():
    constant = {"a": [1.0] * 100, "b": [1.0] * 100}
    said = {"output": [f"said {i}" for i in range(100)]}
    unknown = {"output": [None] * 100}
    assert row_of(made_run(constant), non_inferior()).status is INVALID
    assert row_of(made_run(constant, **unknown), non_inferior()).status is INVALID
    row = row_of(made_run(constant, **said), non_inferior())
    assert row.status is SHIP
    assert row.ci_low == pytest.approx(-(1 - 0.05**0.01))


@pytest.mark.parametrize("info", [OWN, BINARY])
def test_a_run_against_itself_ships_only_what_n_supports(info):
    values = np.random.default_rng(0).integers(0, 2, 100).astype(float).tolist()
    run = made_run({"a": values, "b": values}, info=info)
    row = row_of(run, non_inferior(margin=0.03))
    assert row.status is SHIP
    assert (row.ci_low, row.ci_high) == pytest.approx((-0.029513, 0.029513), abs=1e-6)
    row = row_of(run, non_inferior(margin=0.02))
    assert row.status is OPEN
    assert row.more_samples == 149 - 100  # log(0.05) / log(0.98) = 148.3


def test_equal_differences_count_clusters_not_samples():
    values = np.random.default_rng(0).integers(0, 2, 100).astype(float).tolist()
    run = made_run({"a": values, "b": values}, cluster=[f"c{i // 5}" for i in range(100)])
    assert row_of(run, non_inferior()).ci_low == pytest.approx(-(1 - 0.05 ** (1 / 20)))


def test_one_constant_side_is_a_warning():
    verdict = decide(made_run({"a": [0.9] * 100, "b": noise(1)}), rules("a", superior()))
    assert verdict.status is SHIP
    assert any("'a' has one and the same m (0.9)" in w for w in verdict.warnings)


def test_no_spread_in_an_unbounded_metric_is_invalid():
    base = noise(1)
    values = {"a": base, "b": base}
    run = made_run(values, info=UNBOUNDED, kind="import")
    assert row_of(run, non_inferior()).status is INVALID
    assert row_of(run, non_inferior(bounds=[0, 1])).status is SHIP


def test_few_samples_are_invalid():
    values = gained(0.3, n=29)
    assert row_of(made_run(values), superior()).status is INVALID
    assert row_of(made_run(values), guardrail(min=0.1)).status is INVALID
    assert row_of(made_run(values), superior(min_samples=29)).status is SHIP


def test_few_samples_of_a_bounded_metric_never_rest_on_t_alone():
    for n, method in ((199, "betting"), (200, "Student's t")):
        row = row_of(made_run(gained(0.1, n=n)), superior())
        assert method in row.reason, n


def test_rare_harm_is_not_taken_for_no_harm():
    """One sample in 250 loses everything: Student's t would bound the loss at half a percent."""
    base = noise(1, n=250)
    changed = [0.0 if i == 7 else v for i, v in enumerate(base)]
    row = row_of(made_run({"a": changed, "b": base}), non_inferior(margin=0.012))
    assert (row.status, "betting" in row.reason) == (OPEN, True)


# ------------------------------------------------------------------------------ clusters


def test_clusters_widen_the_interval_and_ten_are_needed():
    values = gained(0.2, n=400)
    effect = np.repeat(np.random.default_rng(3).normal(0, 0.1, 20), 20)
    values["a"] = (np.array(values["a"]) + effect).clip(0, 1).tolist()
    plain = row_of(made_run(values), superior())
    by_20 = made_run(values, cluster=[f"c{i // 20}" for i in range(400)])
    robust = row_of(by_20, superior())
    assert robust.ci_low < plain.ci_low < plain.ci_high < robust.ci_high
    assert "20 clusters" in robust.reason
    by_10 = made_run(values, cluster=[f"c{i % 10}" for i in range(400)])
    assert row_of(by_10, superior()).status is SHIP
    by_9 = made_run(values, cluster=[f"c{i % 9}" for i in range(400)])
    assert row_of(by_9, superior()).status is INVALID
    assert row_of(by_9, guardrail(min=0.1)).status is INVALID
    verdict = decide(by_9, rules("a", superior(cluster=False)))
    assert verdict.rules[0].ci_low == plain.ci_low
    assert any("cluster = false" in w for w in verdict.warnings)


def test_clusters_of_one_sample_are_no_clusters():
    values = {"a": [1.0, 0.0] * 50, "b": [0.0, 0.0, 1.0, 1.0] * 25}
    run = made_run(values, info=BINARY, cluster=[f"c{i}" for i in range(100)])
    assert "Tango" in row_of(run, superior()).reason


# ------------------------------------------------------------------------ what must match


@pytest.mark.parametrize("column", ["input", "target", "cluster"])
def test_other_data_on_the_two_sides_is_invalid(column):
    mine = [f'"{i}"' for i in range(100)]
    theirs = [*mine[:-1], '"other"']
    run = made_run(gained(0.2), **{column: {"a": mine, "b": theirs}})
    row = row_of(run, superior())
    assert row.status is INVALID
    assert f"{column} differs on 1 of 100 samples, the first 's00099'" in row.reason


def test_unknown_data_is_shown():
    run = made_run(gained(0.2), input=[None] * 100, info=UNIT, kind="import")
    verdict = decide(run, rules("a", superior()))
    assert verdict.status is SHIP
    assert any("100 of 100 samples are not known" in w for w in verdict.warnings)
    assert not any(
        "not known" in w for w in decide(made_run(gained(0.2)), rules("a", superior())).warnings
    )


def test_a_sample_in_two_slices_is_invalid():
    mine = ['{"topic": "x"}'] * 100
    theirs = ['{"topic": "y"}', *mine[1:]]
    run = made_run(gained(0.2), metadata={"a": mine, "b": theirs})
    assert "metadata 'topic' differs on 1" in row_of(run, superior(slice="topic")).reason


def test_what_may_differ_is_listed():
    recipes = {
        "a": {"recipe": {"model": "x", "precision": "nf4", "adapter": {"lora_r": 16}}},
        "b": {"recipe": {"model": "x", "precision": "nf4", "shots": {"k": 4}}},
    }
    assert differences(recipes, "a", "b") == ["adapter.lora_r", "shots.k"]


def test_a_precision_that_no_reference_has_is_a_warning():
    run = made_run(gained(0.2))
    run.manifest["variants"]["a"]["recipe"] = {"precision": "bf16"}
    run.manifest["variants"]["b"]["recipe"] = {"precision": "nf4"}
    verdict = decide(run, rules("a", superior()))
    assert verdict.warnings[0].startswith("Precision: 'a' runs at bf16")
    run.manifest["variants"]["b"]["recipe"] = {"precision": "bf16"}
    assert not any("Precision" in w for w in decide(run, rules("a", superior())).warnings)


def test_a_run_that_was_changed_is_invalid():
    run = replace(made_run(gained(0.2)), tampered=("scores.parquet",))
    verdict = decide(run, rules("a", superior()))
    assert (verdict.status, verdict.recommendation) == (INVALID, None)
    assert "scores.parquet changed" in verdict.warnings[0]


def test_values_outside_what_the_metric_says_are_invalid():
    values = gained(0.2)
    values["a"][3] = 1.5
    assert "outside the metric's range" in row_of(made_run(values), superior()).reason
    assert "binary" in row_of(made_run(gained(0.2), info=BINARY), superior()).reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_unscored(bad):
    values = gained(0.2)
    values["a"][:6] = [bad] * 6
    row = row_of(made_run(values), superior())
    assert (row.status, row.n_unscored) == (INVALID, 6)


def test_doubled_rows_are_refused():
    run = made_run(gained(0.2))
    import pyarrow as pa

    doubled = pa.concat_tables([run.scores, run.scores.slice(7, 1)])
    with pytest.raises(RunError, match="sample_id 's00007', variant 'a', metric 'm'"):
        decide(replace(run, scores=doubled), rules("a", superior()))
    doubled = pa.concat_tables([run.outputs, run.outputs.slice(7, 1)])
    with pytest.raises(RunError, match="more than one row"):
        decide(replace(run, outputs=doubled), rules("a", superior()))


# -------------------------------------------------------------------- judges and advice


def test_an_uncalibrated_judge_decides_nothing():
    run = made_run(gained(0.2), metric="judge_tone")
    rule = {**superior(), "metric": "judge_tone"}
    assert row_of(run, rule).status is INVALID
    verdict = decide(run, rules("a", {**rule, "advisory": True}))
    assert (verdict.rules[0].status, verdict.rules[0].gating) == (SHIP, False)
    assert verdict.status is INVALID  # No rule is left that decides.


def test_a_calibrated_judge_decides():
    calibrated = {**BOUNDED, "binary": False, "calibration": {"valid": True}}
    run = made_run(gained(0.2), metric="judge_tone", info=calibrated)
    assert row_of(run, {**superior(), "metric": "judge_tone"}).status is SHIP


# ---------------------------------------------------------------- guardrails on latency


def test_a_latency_guardrail_needs_samples_enough():
    latency = np.random.default_rng(4).exponential(1.0, 200).tolist()
    run = made_run({"a": noise(1, 200), "b": noise(2, 200)}, probe=latency)
    row = row_of(run, guardrail("latency_p95", max=10))
    assert (row.status, row.n) == (SHIP, 200)
    assert row.estimate == sorted(latency)[189]
    assert row_of(run, guardrail("latency_p95", max=1)).status is HOLD
    assert row_of(run, guardrail("latency_p50", max=2)).status is SHIP
    few = made_run({"a": noise(1, 40), "b": noise(2, 40)}, probe=latency[:40])
    row = row_of(few, guardrail("latency_p95", max=1000))
    assert (row.status, row.ci_high, row.more_samples) == (OPEN, None, 19)


def test_an_unmeasured_latency_counts_as_endless():
    latency = [0.1] * 194 + [None] * 6
    run = made_run({"a": noise(1, 200), "b": noise(2, 200)}, probe=latency)
    row = row_of(run, guardrail("latency_p95", max=1))
    assert (row.status, row.n_unscored) == (OPEN, 6)
    assert row_of(run, guardrail("latency_p50", max=1)).status is SHIP


def test_only_the_probed_samples_count_for_latency():
    seconds = {"a": [0.1] * 59 + [None], "b": [9.0] * 60}
    run = made_run({"a": noise(1, 200), "b": noise(2, 200)}, latency_s=[99.0] * 200, probe=seconds)
    row = row_of(run, guardrail("latency_p95", max=1, max_unscored=0.0))
    assert (row.status, row.n, row.n_unscored) == (INVALID, 59, 1)  # A request that failed.
    row = row_of(run, guardrail("latency_p50", max=1))
    assert (row.status, row.estimate, row.n, row.n_unscored) == (SHIP, 0.1, 59, 1)
    assert row_of(run, superior()).n == 200
    few = made_run({"a": noise(1), "b": noise(2)}, probe=[0.1] * 29)
    assert "29 scored samples" in row_of(few, guardrail("latency_p50", max=1)).reason
    other = made_run({"a": noise(1), "b": noise(2)}, probe={"b": [0.1] * 100})
    assert row_of(other, guardrail("latency_p50", max=1)).status is INVALID


def test_latency_by_slice_counts_the_probed_samples_of_the_slice():
    metadata = ['{"part": "x"}' if i % 4 else '{"part": "y"}' for i in range(200)]
    run = made_run({"a": noise(1, 200), "b": noise(2, 200)}, metadata=metadata, probe=[0.1] * 100)
    made = decide(run, rules("a", guardrail("latency_p50", max=1, slice="part"))).rules
    assert {(r.slice, r.n, r.n_unscored, r.status) for r in made} == {
        ("part=x", 75, 0, SHIP),
        ("part=y", 25, 0, OPEN),
    }


def test_a_probe_of_samples_that_were_not_measured_counts_for_latency_alone():
    run = made_run({"a": noise(1, 40), "b": noise(2, 40)}, probe=[0.1] * 100)
    assert row_of(run, guardrail("latency_p50", max=1)).n == 100
    assert row_of(run, guardrail(min=0.1)).n_unscored == 0
    assert (row_of(run, superior()).n, row_of(run, superior()).n_unscored) == (40, 0)


def test_the_seconds_of_a_batch_are_no_latency():
    run = made_run({"a": noise(1), "b": noise(2)}, latency_s=[0.1] * 100)
    row = row_of(run, guardrail("latency_p95", max=1))
    assert row.status is INVALID
    assert "harness run --probe N" in row.reason
    imported = made_run({"a": noise(1), "b": noise(2)}, kind="import", latency_s=[0.1] * 100)
    assert row_of(imported, guardrail("latency_p95", max=1)).status is SHIP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latency_s": {"a": [0.1]}}, "100 samples and 1 latencies of 'a'"),
        ({"sample_id": ["s00000"] * 100}, "a sample twice"),
    ],
)
def test_a_probe_that_contradicts_itself_is_refused(change, said):
    run = made_run({"a": noise(1), "b": noise(2)}, probe=[0.1] * 100)
    run.manifest["probe"]["tasks"]["t"] |= change
    with pytest.raises(RunError, match=said):
        decide(run, rules("a", superior()))


def test_the_mean_of_tokens_can_be_held_too():
    run = made_run({"a": noise(1), "b": noise(2)}, tokens_out=list(range(100)))
    assert row_of(run, guardrail("tokens_out", max=60)).status is SHIP
    assert row_of(run, guardrail("cost", max=1)).status is INVALID  # Nobody measured it.


def test_tokens_and_cost_of_a_thousand_requests():
    run = made_run(
        {"a": noise(1), "b": noise(2)},
        tokens_in=[100 + i % 3 for i in range(100)],
        tokens_out={"a": list(range(100)), "b": [None, *range(1, 100)]},
        cost={"a": [0.001 + i / 1e6 for i in range(100)], "b": [0.002] * 100},
    )
    row = row_of(run, guardrail("tokens_per_1k_requests", max=160_000))
    assert row.status is SHIP
    assert row.estimate == pytest.approx(1000 * (100.99 + 49.5))
    dear = rules("b", guardrail("tokens_per_1k_requests", max=1e9))
    assert decide(run, dear).rules[0].n_unscored == 1
    row = row_of(run, {**superior(margin=0.9), "metric": "cost_per_1k_requests"})
    assert row.status is SHIP  # Cheaper by 0.95 in 1,000 requests: lower is better.
    assert row.estimate == pytest.approx(0.9505)


# ------------------------------------------------------------------ names and impossible rules


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (superior("bb"), "no variant 'bb', named in 'versus'. Did you mean 'b'"),
        (superior(task="tt"), "no task 'tt'. Did you mean 't'"),
        ({**superior(), "metric": "mm"}, "no metric 'mm'. Did you mean 'm'"),
        (superior(slice="topc"), "Did you mean 'topic'"),
        (superior(margin=2.0), "For 2 percent points write 0.02"),
        (superior(direction="lower"), "for m higher is better"),
        (superior(bounds=[0, 0.5]), "for imported metrics"),
        ({**superior(), "metric": "latency_p95"}, "use it as a guardrail"),
    ],
)
def test_a_rule_that_the_run_does_not_know(rule, message):
    run = sliced({"x": (60, 0.1)}, probe=[0.1] * 60)
    with pytest.raises(RulesError) as caught:
        decide(run, rules("a", rule), strict=True)
    assert message in str(caught.value)
    row = row_of(run, rule)
    assert row.status is INVALID
    assert message in row.reason


def test_an_unknown_candidate():
    run = made_run(gained(0.2))
    with pytest.raises(RulesError, match="Did you mean 'a'"):
        decide(run, rules("aa", superior()), strict=True)
    assert decide(run, rules("aa", superior())).status is INVALID
    assert decide(run, rules("aa")).status is INVALID
    assert decide(run, rules("a", superior()), strict=True).status is SHIP


def test_a_metric_without_scores_on_one_side_is_invalid():
    run = made_run({"a": [None] * 100, "b": noise(1)})
    row = row_of(run, superior())
    assert (row.status, row.n, row.n_unscored, row.estimate) == (INVALID, 0, 100, None)


def test_the_runs_own_rules():
    run = made_run(gained(0.2))
    assert decide(run).status is INVALID
    run.manifest["rules"] = {"candidate": "a", "alpha": 0.05, "rule": [superior()]}
    assert decide(run).status is SHIP


# ------------------------------------------------------------------------ recommendation


def recommended(run, *made, candidate="a"):
    return decide(run, rules(candidate, *made)).recommendation


def test_the_cheapest_variant_that_is_as_good_as_every_other():
    values = {**gained(0.0), "c": gained(-0.3)["a"]}
    cost = {"a": [3.0] * 100, "b": [2.0] * 100, "c": [1.0] * 100}
    rule = non_inferior(margin=0.05)
    assert recommended(made_run(values, cost=cost), rule) == "b"
    assert recommended(made_run(values), rule) == "a"  # As listed.
    tokens = {"a": [5] * 100, "b": [4] * 100, "c": [3] * 100}
    run = made_run(values, tokens_in=tokens, tokens_out=tokens)
    assert recommended(run, rule) == "b"
    cost["c"] = [None] * 100
    swapped = {"a": [4] * 100, "b": [5] * 100, "c": [3] * 100}
    run = made_run(values, tokens_in=swapped, tokens_out=swapped, cost=cost)
    assert recommended(run, rule) == "a"  # A price list with a gap orders nothing.


def test_a_hold_can_still_recommend_the_prompt():
    verdict = decide(made_run(gained(-0.2)), rules("a", superior(margin=0.02)))
    assert (verdict.status, verdict.recommendation) == (HOLD, "b")


def test_no_recommendation_says_why():
    verdict = decide(made_run(gained(-0.05)), rules("b", non_inferior("a", margin=0.0001)))
    assert verdict.recommendation == "b"
    values = {"a": noise(1, spread=0.2), "b": noise(2, spread=0.2)}
    verdict = decide(made_run(values), rules("a", non_inferior(margin=0.0001)))
    assert verdict.recommendation is None
    assert any("'a' is not proved non-inferior to 'b'" in w for w in verdict.warnings)
    verdict = decide(made_run(values), rules("a", guardrail(min=0.1)))
    assert any("no gating rule has a margin" in w for w in verdict.warnings)


def test_an_invalid_verdict_recommends_nothing():
    made = [non_inferior(), {**superior(), "metric": "mm"}]
    verdict = decide(made_run(gained(0.1)), rules("a", *made))
    assert (verdict.status, verdict.recommendation) == (INVALID, None)


def test_the_recommended_variant_keeps_the_guardrails():
    latency = {"a": [0.1] * 100, "b": [9.0] * 100}
    run = made_run(gained(0.0), probe=latency, cost={"a": [2.0] * 100, "b": [1.0] * 100})
    assert recommended(run, non_inferior(), guardrail("latency_p50", max=1)) == "a"


# ----------------------------------------------------------------------------- the JSON


def test_the_verdict_as_json():
    verdict = decide(made_run(gained(0.2)), rules("a", superior()))
    found = verdict_to_dict(verdict)
    assert found["verdict"] == "SHIP"
    assert found["rules"][0]["status"] == "SHIP"
    assert {s.value: code for s, code in EXIT_CODES.items()} == {
        "SHIP": 0,
        "HOLD": 1,
        "INCONCLUSIVE": 3,
        "INVALID": 4,
    }
