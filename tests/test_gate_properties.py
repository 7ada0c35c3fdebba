"""What holds of a verdict for any run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_runs import BINARY, OWN, guardrail, made_run, non_inferior, rules, superior

from harness.gate import decide, verdict_to_dict
from harness.store.runs import Run
from harness.types import Status

RULES = rules(
    "a",
    superior(margin=0.0, min_samples=10, max_unscored=0.3),
    non_inferior(margin=0.2, min_samples=10, max_unscored=0.3),
    guardrail(min=0.3, min_samples=10, max_unscored=0.3),
)
slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def runs(draw):
    """Two variants near the verdict's thresholds: with ties, outliers, clusters and gaps."""
    n = draw(st.integers(12, 45))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    binary = draw(st.booleans())
    if binary:
        a, b = rng.random(n) < draw(st.sampled_from([0.6, 0.8, 1.0])), rng.random(n) < 0.5
        a, b = a.astype(float), b.astype(float)
    else:
        b = rng.uniform(0.3, 0.6, n).round(draw(st.sampled_from([1, 3])))
        a = b + draw(st.sampled_from([-0.3, 0.0, 0.02, 0.1]))
        a = a + rng.normal(0, draw(st.sampled_from([0.0, 0.02])), n)
        a[: draw(st.integers(0, 2))] = draw(st.sampled_from([0.0, 1.0]))
    values = {"a": a.clip(0, 1).tolist(), "b": b.tolist()}
    for variant in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2)):
        values[variant][draw(st.integers(0, n - 1))] = None
    size = draw(st.sampled_from([1, 2, 3]))
    cluster = None if size == 1 else [f"c{i // size}" for i in range(n)]
    columns = {} if cluster is None else {"cluster": cluster}
    return made_run(values, info=BINARY if binary else OWN, **columns)


def losing(run: Run, data: st.DataObject) -> Run:
    """``run`` without one score row, one score value or one output row."""
    outputs, scores = run.outputs.to_pylist(), run.scores.to_pylist()
    i = data.draw(st.integers(0, len(scores) - 1))
    what = data.draw(st.sampled_from(["score", "value", "output", "text"]))
    if what == "score":
        del scores[i]
    elif what == "value":
        scores[i]["value"] = None
    elif what == "output":
        del outputs[i]
    else:
        outputs[i]["output"] = None
    from harness.store.runs import outputs_table, scores_table

    return replace(run, outputs=outputs_table(outputs), scores=scores_table(scores))


@slow
@given(runs(), st.data())
def test_losing_a_score_or_an_output_never_ships(run, data):
    # Rule by rule: each has thresholds of its own.
    lost = losing(run, data)
    for rule in RULES.rules:
        alone = replace(RULES, rules=(rule,))
        if decide(lost, alone).status is Status.SHIP:
            before = decide(run, alone)
            assert before.status is Status.SHIP, before.rules[0].reason


@slow
@given(runs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(run, random):
    def shuffled(table):
        order = list(range(table.num_rows))
        random.shuffle(order)
        return table.take(order)

    mixed = replace(run, outputs=shuffled(run.outputs), scores=shuffled(run.scores))
    assert verdict_to_dict(decide(mixed, RULES)) == verdict_to_dict(decide(run, RULES))


@slow
@given(runs())
def test_an_added_identical_variant_changes_nothing_else(run):
    import pyarrow as pa

    def doubled(table):
        twin = table.filter(pa.array([v == "b" for v in table["variant"].to_pylist()]))
        named = pa.array(["twin"] * twin.num_rows, pa.string())
        return pa.concat_tables([table, twin.set_column(2, table.schema.field(2), named)])

    variants = {**run.manifest["variants"], "twin": run.manifest["variants"]["b"]}
    more = replace(
        run,
        manifest={**run.manifest, "variants": variants},
        outputs=doubled(run.outputs),
        scores=doubled(run.scores),
    )
    assert decide(more, RULES).rules == decide(run, RULES).rules


@slow
@given(runs())
def test_every_sample_is_counted_once(run):
    n = run.outputs.num_rows // 2
    for row in decide(run, RULES).rules:
        assert row.n + row.n_unscored == n


@slow
@given(runs())
def test_swapping_the_sides_mirrors_the_interval(run):
    one = decide(run, rules("a", superior("b", min_samples=10, max_unscored=0.9))).rules[0]
    other = decide(run, rules("b", superior("a", min_samples=10, max_unscored=0.9))).rules[0]
    if one.estimate is not None:
        assert one.estimate == -other.estimate
    if one.ci_low is not None:
        assert (one.ci_low, one.ci_high) == (-other.ci_high, -other.ci_low)


def test_the_generated_runs_reach_every_status():
    """So that no property above is about nothing."""
    found = set()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(runs())
    def collect(run):
        found.update(row.status for row in decide(run, RULES).rules)

    collect()
    assert found == set(Status)
