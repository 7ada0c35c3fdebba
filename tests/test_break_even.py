"""After how many requests a training has paid for itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_runs import joined, made_run

from harness.compare import break_even
from harness.errors import UsageError
from harness.store.runs import Run

N = 100
SPENT = {"training_s": 3000.0, "evaluation_s": 600.0, "tries": 3}
SCORES = {"a": [1.0] * N, "b": [0.0] * N}


def drawn(seed: int, mean: float, n: int = N) -> np.ndarray:
    return mean * np.random.default_rng(seed).uniform(0.5, 1.5, n)


def made(
    a: Any, b: Any, column: str = "latency_s", spent: Any = SPENT, scores: Any = SCORES, **more: Any
) -> Run:
    costs = {"a": list(a), "b": list(b)}
    run = made_run(scores, adapters=["a"], **{column: costs}, **more)
    run.manifest["spent"] = spent
    return run


def only(run: Run, **options: Any) -> Any:
    (row,) = break_even(run, **options)
    return row


def test_seconds_of_compute():
    a, b = drawn(1, 0.5), drawn(2, 2.0)
    row = only(made(a, b))
    assert (row.candidate, row.versus, row.currency, row.n) == ("a", "b", "compute_s", N)
    assert (row.fixed, row.saving) == (3600.0, pytest.approx((b - a).mean()))
    assert row.requests == math.ceil(3600 / (b - a).mean())
    half = 1.66 * (b - a).std(ddof=1) / 10
    assert row.requests_low == pytest.approx(3600 / ((b - a).mean() + half), rel=0.02)
    assert row.requests_high == pytest.approx(3600 / ((b - a).mean() - half), rel=0.02)


def test_what_a_request_waited_for_a_server_is_no_time_of_compute():
    run = made(drawn(1, 0.5), drawn(2, 2.0))
    run.manifest["variants"]["a"]["recipe"] = {"server": {"base_url": "http://localhost:1/v1"}}
    row = only(run)
    assert (row.requests, row.saving) == (None, None)
    assert "time of a request is not known" in row.reason


def test_money_needs_the_price_of_the_machine():
    a, b = drawn(1, 0.001), drawn(2, 0.003)
    run = made(a, b, "cost")
    money, compute = break_even(run)
    assert (money.currency, money.requests, compute.currency) == ("money", None, "compute_s")
    assert "--machine-cost-per-hour" in money.reason
    assert money.saving == pytest.approx((b - a).mean())
    assert "time of a request is not known" in compute.reason
    money, _ = break_even(run, machine_cost_per_hour=2.5)
    assert (money.fixed, money.requests) == (2.5, math.ceil(2.5 / (b - a).mean()))
    free, _ = break_even(made(a, b), machine_cost_per_hour=2.5)
    assert (free.currency, free.requests) == ("money", None)
    assert "cost of a request is not known in task 't'" in free.reason


def test_what_costs_more_a_request_never_pays_back():
    row = only(made(drawn(1, 2.0), drawn(2, 0.5)))
    assert (row.requests, row.requests_low, row.requests_high) == ("never", None, None)
    assert row.reason == "'a' costs at least as much a request as 'b'"
    b = drawn(2, 1.0)
    close = b + np.where(np.arange(N) % 2, 0.5, -0.49)
    row = only(made(close, b))
    assert (row.requests, row.requests_high) == ("never", None)
    assert row.requests_low > 3600 / 0.1
    assert "does not rule a saving out" in row.reason


def test_a_saving_that_is_not_proved_has_no_last_request():
    b = drawn(2, 1.0)
    row = only(made(b - np.where(np.arange(N) % 2, 0.5, -0.49), b))
    assert row.requests == math.ceil(3600 / row.saving)
    assert row.requests_low < row.requests
    assert row.requests_high is None


def test_the_same_saving_every_time_has_no_interval():
    costs = [1.0] * N, [3.0] * N
    row = break_even(made(*costs, "cost"), machine_cost_per_hour=3600.0)[0]
    assert (row.requests, row.requests_low, row.requests_high) == (1800, None, None)
    assert "every request saves the same" in row.reason


@pytest.mark.parametrize(
    "spent", [None, {}, {"training_s": 5.0}, {"training_s": None, "evaluation_s": 1.0}]
)
def test_without_what_was_spent_there_is_no_number(spent):
    row = only(made(drawn(1, 0.5), drawn(2, 2.0), spent=spent))
    assert (row.fixed, row.requests) == (None, None)
    assert "does not say what training and evaluation have cost" in row.reason
    # What never pays back needs no fixed cost.
    assert only(made(drawn(1, 2.0), drawn(2, 0.5), spent=spent)).requests == "never"


def test_only_pairs_known_on_both_sides_count():
    a, b = drawn(1, 0.5).tolist(), drawn(2, 2.0).tolist()
    row = only(made([None, *a[1:]], [*b[:-1], None]))
    assert row.n == N - 2
    assert row.saving == pytest.approx(np.mean(np.array(b[1:-1]) - np.array(a[1:-1])))


def two_tasks() -> tuple[Run, np.ndarray, np.ndarray]:
    short, long = drawn(3, 0.2, 40), drawn(4, 5.0, 400)
    small = {v: [0.5] * 40 for v in "ab"}
    large = {v: [0.5] * 400 for v in "ab"}
    one, other = drawn(5, 1e-9, 40), drawn(6, 1e-9, 400)
    run = joined(
        made(one, one + short, scores=small),
        made(other, other + long, scores=large, task="u"),
    )
    return run, short, long


def test_every_task_weighs_the_same():
    run, short, long = two_tasks()
    row = only(run)
    assert (row.n, row.saving) == (440, pytest.approx((short.mean() + long.mean()) / 2))
    error = math.hypot(short.std(ddof=1) / 40**0.5, long.std(ddof=1) / 20) / 2
    high = row.saving + 1.65 * error
    assert row.requests_low == pytest.approx(3600 / high, rel=0.01)


def test_clusters_widen_the_interval():
    a, b = np.repeat(drawn(1, 0.5, 25), 4), np.repeat(drawn(2, 2.0, 25), 4)
    alone, grouped = (
        break_even(made(a, b, "cost", cluster=c), machine_cost_per_hour=1000.0)[0]
        for c in ([None] * N, [f"c{i // 4}" for i in range(N)])
    )
    assert grouped.requests == alone.requests
    assert grouped.requests_high > alone.requests_high


def test_the_answers_of_a_batch_are_no_evidence_of_their_own():
    a, b = np.repeat(drawn(1, 0.5, 25), 4), np.repeat(drawn(2, 2.0, 25), 4)
    batched, single = only(made(a, b)), only(made(a + drawn(3, 1e-9), b + drawn(4, 1e-9)))
    assert batched.requests == pytest.approx(single.requests, abs=1)
    width, narrow = (r.requests_high - r.requests_low for r in (batched, single))
    assert width > 1.7 * narrow
    # Batches of four and of twenty-five together leave one group.
    row = only(made(a, np.tile(drawn(2, 2.0, 4), 25)))
    assert (row.requests_low, row.requests_high) == (None, None)
    assert "clusters" in row.reason


def test_every_adapter_against_every_variant_without_one():
    values = {v: [1.0] * N for v in ("a", "b", "c", "d")}
    costs = {v: drawn(i, i + 1.0).tolist() for i, v in enumerate(values)}
    run = made_run(values, adapters=["a", "c"], latency_s=costs)
    run.manifest["spent"] = SPENT
    pairs = [(row.candidate, row.versus) for row in break_even(run)]
    assert pairs == [("a", "b"), ("a", "d"), ("c", "b"), ("c", "d")]


def test_without_an_adapter_there_is_nothing_to_pay_back():
    assert break_even(made_run(SCORES, kind="import", latency_s=[1.0] * N)) == []
    assert break_even(made_run(SCORES, latency_s=[1.0] * N)) == []


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_price_is_refused(price):
    with pytest.raises(UsageError, match="must be a number above 0"):
        break_even(made(drawn(1, 0.5), drawn(2, 2.0)), machine_cost_per_hour=price)
