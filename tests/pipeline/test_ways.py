"""The ways to measure a suite: prompts first, in batches, and the probe of latency."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import SUPERIOR, Scripted, an_adapter, at_work, rules, suite

from harness.errors import UsageError
from harness.gate import decide
from harness.pipeline import Settings, probe, run, sequence, staged
from harness.pipeline.inputs import load, whole_clusters
from harness.pipeline.measuring import whole
from harness.pipeline.planning import plan
from harness.types import Adapter, Data, Generation, LoraRecipe, Sample, Status

TARGET = {"metric": "exact_match", "min": 0.8}
LATENCY = {"metric": "latency_p95", "role": "guardrail", "max": 9.0}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---- in batches


def in_batches(tmp_path: Path, made, engine=None, **settings):
    chosen = Settings(sequential=True, **settings)
    with at_work(made, chosen, engine or Scripted(tmp_path), tmp_path / "cache") as work:
        return sequence.measure(work, made.variants)


def clear(tmp_path: Path, **options):
    made = rules("adapter", SUPERIOR)
    return suite({"zero": "5", "adapter": "5"}, made, adapter=an_adapter(tmp_path / "a"), **options)


def test_a_clear_case_is_decided_before_all_samples_are_used(tmp_path: Path) -> None:
    found = in_batches(tmp_path, clear(tmp_path), batch=20)
    about = found.manifest["sequential"]
    measured = found.manifest["tasks"]["t"]["n"]
    assert about["stopped"] is True
    assert about["planned"] == {"t": 200}
    assert about["looks"] * 20 == measured < 200
    # The same samples for both, in the order of the batches, which is not that of the data.
    orders = {
        v: [r["sample_id"] for r in found.outputs.to_pylist() if r["variant"] == v]
        for v in ("zero", "adapter")
    }
    assert orders["zero"] == orders["adapter"]
    assert len(orders["zero"]) == measured
    assert orders["zero"] != sorted(orders["zero"])
    # What stopped it is what its folder says again.
    assert decide(found).status is Status.SHIP


def test_an_open_case_uses_all_samples(tmp_path: Path) -> None:
    made = suite({"zero": "50", "same": "50"}, rules("same", SUPERIOR))
    found = in_batches(tmp_path, made, batch=64)
    assert found.manifest["sequential"] == {
        "batch": 64,
        "seed": 0,
        "looks": 4,
        "planned": {"t": 200},
        "stopped": False,
    }
    assert found.manifest["tasks"]["t"]["n"] == 200


def test_a_look_that_is_invalid_goes_on(tmp_path: Path) -> None:
    """The first batches are below ``min_samples``."""
    found = in_batches(tmp_path, clear(tmp_path), batch=5)
    assert found.manifest["tasks"]["t"]["n"] >= 30


def test_tasks_of_different_sizes_are_measured_side_by_side(tmp_path: Path) -> None:
    made = clear(tmp_path)
    small = replace(made.tasks[0], name="small", data=replace(made.tasks[0].data))
    small = replace(small, data=replace(small.data, eval=small.data.eval[:30]))
    found = in_batches(tmp_path, replace(made, tasks=[*made.tasks, small]), batch=20)
    rows = found.outputs.to_pylist()
    seen = [(r["task"], r["sample_id"]) for r in rows if r["variant"] == "zero"]
    assert [task for task, _ in seen[:70]] == [
        *(["t"] * 20 + ["small"] * 20),
        *(["t"] * 20 + ["small"] * 10),
    ]
    assert found.manifest["tasks"]["small"]["n"] == 30
    t, s = ([i for task, i in seen if task == name][:30] for name in ("t", "small"))
    assert t != s, "each task has an order of its own"


def test_the_same_command_gives_the_same_run_also_after_an_interruption(tmp_path: Path) -> None:
    whole = in_batches(tmp_path, clear(tmp_path), batch=20)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(KeyboardInterrupt):
        in_batches(other, clear(tmp_path), Scripted(other, stop_after=70), batch=20)
    rest = Scripted(other)
    again = in_batches(other, clear(tmp_path), rest, batch=20)
    assert len(rest.asked) == whole.outputs.num_rows - 70
    assert again.outputs.equals(whole.outputs)
    assert again.scores.equals(whole.scores)
    assert again.manifest["fingerprint"] == whole.manifest["fingerprint"]
    seeded = in_batches(tmp_path, clear(tmp_path), batch=20, seed=1)
    assert not seeded.outputs["sample_id"].equals(whole.outputs["sample_id"])


def test_clusters_are_drawn_at_random_and_never_measured_in_part(tmp_path: Path) -> None:
    made = suite({"zero": "50", "same": "50"}, rules("same", SUPERIOR))
    (task,) = made.tasks
    samples = [replace(s, cluster=f"c{i % 40}") for i, s in enumerate(task.data.eval)]
    task = replace(task, data=replace(task.data, eval=(*samples[:-3], *task.data.eval[-3:])))
    found = in_batches(tmp_path, replace(made, tasks=[task]), batch=12)
    rows = [r for r in found.outputs.to_pylist() if r["variant"] == "zero"]
    order = [r["cluster"] or r["sample_id"] for r in rows]
    runs = [c for c, before in zip(order, [None, *order], strict=False) if c != before]
    assert len(runs) == len(set(runs)) == 43, "the samples of a cluster stand together"
    assert runs != sorted(runs)
    # Clusters of 5, so that a batch of 12 is filled up to 15 (the odd ones are those of 4 and 1).
    assert found.manifest["sequential"]["looks"] < 200 / 12
    assert found.manifest["tasks"]["t"]["n"] == 200


@pytest.mark.parametrize(
    ("clusters", "n", "count"),
    [
        ("aabbb", 0, 0),
        ("aabbb", 1, 2),
        ("aabbb", 2, 2),
        ("aabbb", 3, 5),
        ("aabbb", 9, 5),
        ("-----", 3, 3),
        ("aa-bb", 3, 3),
        ("-aabb", 2, 3),
    ],
)
def test_a_batch_ends_where_a_cluster_does(clusters: str, n: int, count: int) -> None:
    samples = tuple(
        Sample(f"s{i}", "1", ("yes",), cluster=None if c == "-" else c)
        for i, c in enumerate(clusters)
    )
    made = suite({"zero": "5"}, None)
    made = replace(made, tasks=[replace(made.tasks[0], data=Data(samples))])
    (inputs,) = load(made, made.variants, seed=0, limit=None)
    assert whole_clusters(inputs, n) == count


def test_repeated_answers_of_a_sample_stay_together(tmp_path: Path) -> None:
    made = clear(tmp_path)
    twice = [replace(v, generation=Generation(0.5, repeats=2)) for v in made.variants]
    found = in_batches(tmp_path, replace(made, variants=twice), batch=20)
    ids = [r["sample_id"] for r in found.outputs.to_pylist() if r["variant"] == "zero"]
    assert [i[-2:] for i in ids] == ["#0", "#1"] * (len(ids) // 2)
    assert found.manifest["tasks"]["t"]["n"] * 2 == len(ids)


# ---- prompts first


def first(tmp_path: Path, made, **settings):
    engine = Scripted(tmp_path)
    with at_work(made, Settings(staged=True, **settings), engine, tmp_path / "cache") as work:
        return staged.measure(work, made.variants), engine


def test_nothing_is_trained_where_a_prompt_meets_the_targets(tmp_path: Path, cache: Path) -> None:
    made = suite(
        {"zero": "5", "few": "97", "adapter": "5"},
        rules("adapter", SUPERIOR, target=[TARGET]),
        adapter=Adapter(recipe=LoraRecipe()),
    )
    found, engine = first(tmp_path, made)
    assert found.manifest["staged"] == {"stopped": True, "met_by": "few"}
    assert list(found.manifest["variants"]) == ["zero", "few"]
    assert found.manifest["not_measured"] == {"adapter": {"has_adapter": True}}
    assert {row["variant"] for row in found.outputs.to_pylist()} == {"zero", "few"}
    assert all(adapter is None for _, _, adapter in engine.asked)
    assert not (cache / "adapters").exists()
    verdict = decide(found)
    assert (verdict.status, verdict.recommendation) == (Status.HOLD, "few")


def test_the_adapters_follow_where_no_prompt_meets_the_targets(tmp_path: Path) -> None:
    made = suite(
        {"zero": "5", "adapter": "5"},
        rules("adapter", SUPERIOR, target=[TARGET]),
        adapter=an_adapter(tmp_path / "a"),
    )
    found, engine = first(tmp_path, made)
    assert found.manifest["staged"] == {"stopped": False, "met_by": None}
    assert list(found.manifest["variants"]) == ["zero", "adapter"]
    assert len(engine.asked) == 400, "what was answered in the first stage is not asked again"
    assert decide(found).status is Status.SHIP


def test_targets_on_latency_are_probed_before_anything_is_trained(tmp_path: Path) -> None:
    target = {"metric": "latency_p95", "max": 9.0}
    made = suite(
        {"zero": "5", "few": "97", "adapter": "5"},
        rules("adapter", SUPERIOR, target=[TARGET, target]),
        adapter=Adapter(recipe=LoraRecipe()),
    )
    found, _ = first(tmp_path, made)
    assert found.manifest["staged"]["met_by"] == "few"
    # A bound at half of alpha on a 95th percentile needs 72 samples.
    assert len(found.manifest["probe"]["tasks"]["t"]["sample_id"]) == 72
    never, _ = first(tmp_path, replace(made, variants=made.variants[:2]), probe=0)
    assert never.manifest["staged"]["stopped"] is False, "what was not measured is not met"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"made": None}, "Add a \\[\\[target\\]\\]"),
        ({"made": rules("adapter", SUPERIOR)}, "Add a \\[\\[target\\]\\]"),
        ({"made": rules("adapter", target=[{**TARGET, "advisory": True}])}, "have none"),
        ({"made": rules("zero", target=[TARGET])}, "'zero' has none"),
        ({"variants": ["adapter"]}, "needs a variant without an adapter"),
        ({"variants": ["zero"]}, "needs a variant with an adapter"),
        ({"made": rules("adapter", target=[{**TARGET, "metric": "f1"}])}, "no task has the metric"),
        ({"made": rules("adapter", target=[{**TARGET, "task": "u"}])}, "the suite has no task"),
        ({"sequential": True}, "Choose one"),
    ],
)
def test_staged_says_what_it_lacks_before_anything_is_measured(change, says) -> None:
    change = {"made": rules("adapter", target=[TARGET]), **change}
    made = suite({"zero": "5", "adapter": "5"}, change.pop("made"), adapter=Adapter(path="nowhere"))
    with pytest.raises(UsageError, match=says):
        run(made, Settings(staged=True, **change))


@pytest.mark.parametrize("made", [None, rules("a", {**SUPERIOR, "advisory": True}), rules("a")])
def test_sequential_needs_a_rule_that_decides(made) -> None:
    with pytest.raises(UsageError, match="no gating rule"):
        run(suite({"zero": "5", "a": "5"}, made), Settings(sequential=True))


# ---- the probe


def probed(tmp_path: Path, made, engine=None, **settings):
    engine = engine or Scripted(tmp_path)
    with at_work(made, Settings(**settings), engine, tmp_path / "cache") as work:
        counts = probe.counts(work, probe.of_rules(made.rules))
        return probe.measure(work, plan(work, made.variants), counts), engine


@pytest.mark.parametrize(
    ("made", "said", "count"),
    [
        (None, None, None),
        (rules("few", SUPERIOR), None, None),
        (rules("few", LATENCY), None, 59),
        (rules("few", {**LATENCY, "alpha": 0.01}), None, 90),
        (rules("few", {**LATENCY, "metric": "latency_p50"}), None, 30),  # min_samples
        (rules("few", {**LATENCY, "min_samples": 80}), None, 80),
        (rules("few", {**LATENCY, "alpha": 1e-9}), None, 200),  # all there are
        (rules("few", LATENCY), 0, None),
        (rules("few", LATENCY), 7, 7),
        (None, 7, 7),
    ],
)
def test_as_many_samples_as_the_rules_need(tmp_path: Path, made, said, count) -> None:
    found, _ = probed(tmp_path, suite({"zero": "5", "few": "5"}, made), probe=said)
    if count is None:
        assert found is None
        return
    task = found["tasks"]["t"]
    assert found["requests"] == 2 * count
    assert len(set(task["sample_id"])) == count
    assert {v: len(x) for v, x in task["latency_s"].items()} == {"zero": count, "few": count}
    assert all(x > 0 for seconds in task["latency_s"].values() for x in seconds)


def test_only_the_tasks_of_the_rule(tmp_path: Path) -> None:
    made = suite({"few": "5"}, rules("few", {**LATENCY, "task": "b"}), tasks=("a", "b"))
    found, _ = probed(tmp_path, made)
    assert list(found["tasks"]) == ["b"]


def test_every_variant_answers_the_same_sample_in_turns(tmp_path: Path) -> None:
    made = suite({"a": "1", "b": "2", "c": "3"}, None)
    found, engine = probed(tmp_path, made, probe=40)
    warm, timed = engine.asked[:3], engine.asked[3:]
    assert [system for system, _, _ in warm] == ["1", "2", "3"]
    assert len(timed) == 120
    turns = [timed[i : i + 3] for i in range(0, 120, 3)]
    assert all(len({question for _, question, _ in turn}) == 1 for turn in turns)
    orders = {tuple(system for system, _, _ in turn) for turn in turns}
    assert len(orders) == 6, "every order of three comes up among forty"
    asked = [f"s{int(turn[0][1]):03d}" for turn in turns]
    assert found["tasks"]["t"]["sample_id"] == asked
    again, same = probed(tmp_path, made, probe=40)
    assert same.asked == engine.asked, "the same again, and nothing of it from the cache"
    assert again["tasks"]["t"]["sample_id"] == asked


def test_a_request_that_failed_has_no_latency(tmp_path: Path) -> None:
    found, _ = probed(tmp_path, suite({"zero": "fail", "few": "5"}, None), probe=5)
    assert found["tasks"]["t"]["latency_s"]["zero"] == [None] * 5
    assert None not in found["tasks"]["t"]["latency_s"]["few"]


def test_a_sample_with_several_answers_is_probed_once(tmp_path: Path) -> None:
    made = suite({"zero": "5", "few": "97"}, rules("few", SUPERIOR, LATENCY))
    twice = [replace(v, generation=Generation(0.5, repeats=2)) for v in made.variants]
    made = replace(made, variants=twice)
    with at_work(made, Settings(), Scripted(tmp_path), tmp_path / "cache") as work:
        found = whole(work, made.variants, probe.of_rules(made.rules))
    ids = found.manifest["probe"]["tasks"]["t"]["sample_id"]
    assert len(ids) == 59
    assert all(i.endswith("#0") for i in ids)
    verdict = decide(found)
    assert verdict.status is Status.SHIP
    assert verdict.rules[-1].n == 59


def test_a_sequential_run_probes_what_it_measures_first(tmp_path: Path) -> None:
    made = clear(tmp_path)
    made = replace(made, rules=rules("adapter", SUPERIOR, LATENCY))
    found = in_batches(tmp_path, made, batch=20)
    ids = list(dict.fromkeys(found.outputs["sample_id"].to_pylist()))
    # The first look waits for all that were probed.
    assert found.manifest["probe"]["tasks"]["t"]["sample_id"] == ids == ids[:59]
    assert found.manifest["sequential"]["looks"] == 1
    verdict = decide(found)
    assert verdict.status is Status.SHIP
    # The probe is made once and not looked at as it grows, so an ordinary bound holds.
    assert "order statistics" in verdict.rules[1].reason


# ---- what it cost


def test_a_training_that_fails_is_in_the_ledger(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'local' is not installed")
    made = suite({"adapter": "5"}, None, adapter=Adapter(recipe=LoraRecipe()), n=4)
    train = tuple(replace(s, id=f"t{s.id}", input=f"1{s.input}") for s in made.tasks[0].data.eval)
    task = replace(made.tasks[0], data=replace(made.tasks[0].data, train=train))
    made = replace(made, tasks=[task])
    engine = Scripted(tmp_path / "nothing")
    with (
        at_work(made, Settings(), engine, cache) as work,
        pytest.raises(Exception, match="nothing"),
        work.session.evaluation(),
    ):
        plan(work, made.variants)
    (line,) = (cache / "spent" / "scripted.jsonl").read_text("utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["kind"], entry["variant"], entry["finished"]) == ("training", "adapter", False)
    assert len(entry["adapter"]) == 64


def test_an_interrupted_evaluation_is_in_the_ledger(tmp_path: Path, cache: Path) -> None:
    made = suite({"zero": "5"}, None)
    engine = Scripted(tmp_path, stop_after=9)
    with (
        at_work(made, Settings(), engine, cache) as work,
        pytest.raises(KeyboardInterrupt),
        work.session.evaluation(),
    ):
        whole(work, made.variants, [])
    (line,) = (cache / "spent" / "scripted.jsonl").read_text("utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["kind"], entry["finished"]) == ("evaluation", False)
    assert entry["seconds"] > 0
