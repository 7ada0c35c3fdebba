"""Comparisons and summaries, of one run and across runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import BINARY, OWN, joined, made_run

from harness.compare import comparisons, merge, summaries
from harness.errors import InvalidRun

ORACLES = Path(__file__).parents[2] / "shared" / "oracles"


def noise(seed: int, n: int = 100) -> list[float]:
    return np.random.default_rng(seed).uniform(0, 1, n).tolist()


def test_every_metric_and_pair_both_ways_round():
    run = joined(
        made_run({"a": noise(1), "b": noise(2), "c": noise(3)}),
        made_run({"a": noise(1), "b": noise(2)}, task="u", metric="k"),
    )
    found = {(c.task, c.metric, c.candidate, c.versus): c for c in comparisons(run)}
    assert len(found) == 6 + 2
    for (task, metric, a, b), one in found.items():
        other = found[task, metric, b, a]
        assert (one.estimate, one.ci_low) == (-other.estimate, -other.ci_high)
    assert {c.versus for c in comparisons(run, candidate="c")} == {"a", "b"}


def test_alpha_and_direction():
    run = made_run({"a": noise(1), "b": noise(2)}, info={**OWN, "higher_is_better": False})
    (one,) = comparisons(run, alpha=0.1, candidate="a")
    assert one.estimate == pytest.approx(np.mean(noise(2)) - np.mean(noise(1)))
    assert (one.alpha, one.ci_level) == (0.1, 0.8)


def test_what_has_no_interval_says_why():
    few = made_run({"a": [1.0], "b": [0.0]})
    assert comparisons(few)[0].method == "1 scored samples"
    clusters = [f"c{i % 9}" for i in range(100)]
    run = made_run({"a": noise(1), "b": noise(2)}, cluster=clusters)
    assert comparisons(run)[0].ci_low is None
    assert "9 clusters" in comparisons(run)[0].method
    other = {"a": ["q"] * 100, "b": ["p"] * 100}
    run = made_run({"a": noise(1), "b": noise(2)}, input=other)
    assert comparisons(run)[0].ci_low is None
    assert "input differs on 100 of 100" in comparisons(run)[0].method


def test_summaries_hold_scores_and_what_the_outputs_tell():
    run = made_run(
        {"a": [1.0] * 60 + [0.0] * 40, "b": [None] * 2 + noise(2, 98)},
        info={**OWN, "low": None, "high": None},
        probe=np.arange(1.0, 101.0).tolist(),
        tokens_out=[7] * 100,
    )
    found = {(s.variant, s.metric): s for s in summaries(run)}
    a, b = found["a", "m"], found["b", "m"]
    assert (a.estimate, a.n, a.n_unscored) == (0.6, 100, 0)
    assert (b.n, b.n_unscored) == (98, 2)
    assert a.ci_low < 0.6 < a.ci_high
    assert found["a", "latency_p95"].estimate == 95.0
    assert found["a", "latency_p95"].ci_high == 99.0
    tokens = found["a", "tokens_out"]
    assert (tokens.estimate, tokens.ci_low) == (7.0, None)  # No spread and no range.
    assert ("a", "cost") not in found


def test_a_binary_summary_is_exact():
    (a, _) = summaries(made_run({"a": [1.0] * 60 + [0.0] * 40, "b": [0.0] * 100}, info=BINARY))
    from scipy.stats import binomtest

    exact = binomtest(60, 100).proportion_ci(0.9, "exact")
    assert (a.ci_low, a.ci_high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def two_runs(**second):
    one = made_run({"a": noise(1)})
    other = made_run({"a": noise(2)}, **second)
    return merge([("one", one), ("two", other)])


def test_runs_are_paired_by_sample():
    run, warnings = two_runs()
    (row,) = comparisons(run, candidate="two/a")
    assert (row.versus, row.n, row.n_unscored) == ("one/a", 100, 0)
    assert row.estimate == pytest.approx(np.mean(noise(2)) - np.mean(noise(1)))
    assert warnings == []


def test_runs_measured_differently_are_refused():
    with pytest.raises(InvalidRun, match=r"'version' is '1' in run 'one' and '2' in run 'two'"):
        two_runs(info={**OWN, "version": "2"})
    with pytest.raises(InvalidRun, match="'high' is"):
        two_runs(info={**OWN, "high": 100.0})
    with pytest.raises(InvalidRun, match="no task in common"):
        two_runs(task="other")
    run, _ = two_runs(input=[f"other {i}" for i in range(100)])
    assert "input differs on 100 of 100" in comparisons(run)[0].method


def test_a_measured_and_an_imported_run_can_be_compared():
    info = {**dict.fromkeys(("definition", "higher_is_better", "version"))}
    run, warnings = two_runs(
        kind="import", info={**info, "low": 0.0, "high": 1.0, "binary": False}, input=[None] * 100
    )
    assert comparisons(run)[0].ci_low is not None
    assert any("version is not known in every run" in w for w in warnings)


@pytest.fixture(scope="module")
def alpaca(tmp_path_factory):
    from harness.store.import_run import import_scores
    from harness.store.runs import read_run

    source = ORACLES / "alpaca_eval_scores.jsonl"
    if not source.is_file():
        pytest.skip("the oracle alpaca_eval_scores.jsonl is not here")
    folder, warnings = import_scores(source, tmp_path_factory.mktemp("alpaca") / "run")
    assert warnings == [f"{source}: the unknown key 'chars' was ignored in 6440 rows."]
    return read_run(folder)


def test_alpaca_eval_means_and_standard_errors(alpaca):
    from harness.stats.mean import t_critical

    board = json.loads((ORACLES / "alpaca_eval_leaderboard.json").read_text())
    found = {s.variant: s for s in summaries(alpaca)}
    assert set(found) == set(board)
    for name, known in board.items():
        mine = found[name]
        assert (mine.n, mine.n_unscored) == (known["n"], 0)
        assert mine.estimate == pytest.approx(known["win_rate"], abs=1e-3)
        error = (mine.ci_high - mine.ci_low) / 2 / t_critical(mine.n - 1, 0.05)
        assert error == pytest.approx(known["standard_error"], abs=1e-3)


@pytest.mark.parametrize(
    ("candidate", "versus", "low", "high"),
    [
        ("vicuna-13b-v1.5-togetherai", "vicuna-13b-v1.5", -0.0083, 0.0131),
        ("gpt-3.5-turbo-1106_verbose", "gpt-3.5-turbo-1106", 0.0222, 0.0495),
    ],
)
def test_alpaca_eval_paired_bounds(alpaca, candidate, versus, low, high):
    (row,) = (c for c in comparisons(alpaca, candidate=candidate) if c.versus == versus)
    # Plain t's bounds, moved outwards a little where the differences are skewed.
    assert low - 5e-4 <= row.ci_low <= low + 5e-5
    assert high - 5e-5 <= row.ci_high <= high + 5e-4


@pytest.mark.parametrize(
    ("candidate", "versus", "role", "margin", "word"),
    [
        ("vicuna-13b-v1.5-togetherai", "vicuna-13b-v1.5", "non_inferior", 0.02, "SHIP"),
        ("vicuna-13b-v1.5-togetherai", "vicuna-13b-v1.5", "non_inferior", 0.005, "INCONCLUSIVE"),
        ("gpt-3.5-turbo-1106_verbose", "gpt-3.5-turbo-1106", "superior", 0.0, "SHIP"),
        ("gpt-3.5-turbo-1106_verbose", "gpt-3.5-turbo-1106", "superior", 0.05, "HOLD"),
        ("twin", "vicuna-7b", "non_inferior", 0.01, "SHIP"),
    ],
)
def test_alpaca_eval_verdicts(alpaca, candidate, versus, role, margin, word):
    from harness.gate import decide
    from harness.rules import parse_rules

    rule = {"metric": "win_rate", "role": role, "versus": versus, "margin": margin}
    rules = parse_rules({"candidate": candidate, "rule": [rule]}, where="test")
    run = with_twin(alpaca) if candidate == "twin" else alpaca
    assert decide(run, rules).status.value == word


def with_twin(run):
    """``vicuna-7b`` once more under another name: a model against itself."""
    from dataclasses import replace

    import pyarrow as pa
    import pyarrow.compute as pc

    def twinned(table):
        part = table.filter(pc.equal(table["variant"], "vicuna-7b"))
        at = table.column_names.index("variant")
        named = part.set_column(at, table.schema.field(at), pa.array(["twin"] * len(part)))
        return pa.concat_tables([table, named])

    variants = {**run.manifest["variants"], "twin": {"has_adapter": None}}
    return replace(
        run,
        manifest={**run.manifest, "variants": variants},
        outputs=twinned(run.outputs),
        scores=twinned(run.scores),
    )
