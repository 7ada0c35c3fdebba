"""Several answers to one sample: they are never independent, and they are not more samples."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import BINARY, guardrail, joined, made_run, non_inferior, rules, superior

from harness.compare import merge
from harness.errors import InvalidRun
from harness.gate import decide
from harness.store.runs import Run, outputs_table, scores_table
from harness.types import Status


def repeated(run: Run, k: int) -> Run:
    """Every row k times, as ``id#0`` to ``id#k-1``: what greedy decoding gives."""

    def rows(table):
        return [
            {**row, "sample_id": f"{row['sample_id']}#{i}"}
            for row in table.to_pylist()
            for i in range(k)
        ]

    manifest = {**run.manifest, "repeats": k}
    return Run(None, manifest, outputs_table(rows(run.outputs)), scores_table(rows(run.scores)))


def two(n: int, share: float, info=None) -> Run:
    rng = np.random.default_rng(0)
    values = {v: rng.uniform(0, 1, n) < p for v, p in (("a", share), ("b", 0.5))}
    return made_run({v: x.astype(float).tolist() for v, x in values.items()}, info=info or BINARY)


@pytest.mark.parametrize("rule", [superior(margin=0.05), non_inferior(), guardrail(min=0.6)])
@pytest.mark.parametrize("cluster", [True, False])
def test_copies_of_an_answer_prove_nothing_more(rule, cluster):
    """The interval over k copies is that over the samples, whatever is said of clusters."""
    once = two(60, 0.75, info={**BINARY, "binary": False})
    made = rules("a", {**rule, "cluster": cluster})
    (alone,) = decide(once, made).rules
    (many,) = decide(repeated(once, 8), made).rules
    assert (many.n, many.status) == (8 * alone.n, alone.status)
    for key in ("estimate", "ci_low", "ci_high"):
        assert getattr(many, key) == pytest.approx(getattr(alone, key), rel=0.02)


def test_min_samples_counts_samples():
    verdict = decide(repeated(two(12, 0.99), 4), rules("a", superior()))
    assert verdict.status is Status.INVALID
    assert "12 scored samples (with 48 answers), and 'min_samples' is 30" in verdict.rules[0].reason
    enough = decide(repeated(two(12, 0.99), 4), rules("a", superior(min_samples=12)))
    assert enough.status is not Status.INVALID


def test_a_slice_counts_samples_too():
    topics = [f'{{"topic": "{"xy"[i % 2]}"}}' for i in range(40)]
    values = {"a": [1.0] * 39 + [0.0], "b": [0.0] * 39 + [1.0]}
    run = repeated(made_run(values, info=BINARY, metadata=topics), 4)
    rows = decide(run, rules("a", superior(slice="topic"))).rules
    assert {row.status for row in rows} == {Status.INCONCLUSIVE}
    assert all("the slice has 20 samples" in row.reason for row in rows)
    assert all(row.more_samples == 10 for row in rows)


def test_too_few_samples_for_a_bound_are_not_called_clusters():
    run = repeated(two(6, 0.99), 10)
    row = decide(run, rules("a", superior(min_samples=5, cluster=False))).rules[0]
    assert row.status is Status.INVALID
    assert "the answers are to 6 samples" in row.reason
    assert "cluster = false" not in row.reason


def test_cluster_false_warns_of_documents_and_not_of_repeats():
    said = "as if samples of one cluster were independent"
    made = rules("a", superior(cluster=False), guardrail(min=0.1, cluster=False))
    plain = decide(repeated(two(60, 0.75), 3), made)
    assert not any(said in w for w in plain.warnings)
    run = two(60, 0.75)
    documents = [f"d{i // 3}" for i in range(60)]
    values = {v: [0.0, 1.0, 1.0] * 20 for v in "ab"}
    values["b"] = [0.0, 0.0, 1.0] * 20
    run = repeated(made_run(values, info=BINARY, cluster=documents), 3)
    assert any(said in w for w in decide(run, made).warnings)


def test_lost_answers_are_told():
    run = repeated(two(60, 0.9), 4)
    import pyarrow.compute as pc

    def without_last(table):
        return table.filter(pc.invert(pc.ends_with(table["sample_id"], "#3")))

    lost = Run(None, run.manifest, without_last(run.outputs), without_last(run.scores))
    row = decide(lost, rules("a", superior())).rules[0]
    assert row.status is Status.INVALID
    assert "240 answers and these variants have 180" in row.reason


def test_more_samples_are_samples():
    once = two(60, 0.75, info={**BINARY, "binary": False})
    made = rules("a", superior(margin=0.4))
    (alone,) = decide(once, made).rules
    (many,) = decide(repeated(once, 5), made).rules
    assert alone.status is many.status is Status.INCONCLUSIVE
    assert many.more_samples == pytest.approx(alone.more_samples, rel=0.1, abs=2)


def test_an_id_that_ends_like_a_repeat_is_only_that_in_a_run_without_repeats():
    values = {"a": [1.0] * 40, "b": [0.0, 1.0] * 20}
    run = made_run(values, info=BINARY)
    names = [f"s#{i}" for i in range(40)] * 2
    tables = [
        make([{**row, "sample_id": names[i]} for i, row in enumerate(table.to_pylist())])
        for make, table in ((outputs_table, run.outputs), (scores_table, run.scores))
    ]
    row = decide(Run(None, run.manifest, *tables), rules("a", superior())).rules[0]
    assert (row.n, row.status) == (40, Status.SHIP)


def test_runs_of_different_repeats_cannot_be_merged():
    run = two(40, 0.9)
    merged, _ = merge([("one", repeated(run, 2)), ("two", repeated(run, 2))])
    assert merged.manifest["repeats"] == 2
    with pytest.raises(InvalidRun, match="different repeats"):
        merge([("one", run), ("two", repeated(run, 2))])


def test_tasks_keep_their_own_samples():
    one, other = repeated(two(40, 0.9), 2), repeated(two(40, 0.9), 2)
    other = Run(
        None,
        {**other.manifest, "tasks": {"u": other.manifest["tasks"]["t"]}},
        outputs_table([{**r, "task": "u"} for r in other.outputs.to_pylist()]),
        scores_table([{**r, "task": "u"} for r in other.scores.to_pylist()]),
    )
    both = joined(one, other)
    rows = decide(both, rules("a", superior())).rules
    assert [(r.task, r.n) for r in rows] == [("t", 80), ("u", 80)]


def test_independent_samples_with_several_answers_are_refused():
    """960 answers to 120 samples are no 960 samples: below 200 Student's t never decides alone."""
    run = repeated(two(60, 0.95, info={**BINARY, "binary": False}), 8)
    (row,) = decide(run, rules("a", superior(pairing="independent"))).rules
    assert row.status is Status.INVALID
    assert "several answers" in row.reason
