"""Cutting requests into shards: properties, by plain Python."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.sharding import ROUNDS, ROWS, Shard, cut


@dataclass(frozen=True)
class Asked:
    key: str
    group: str
    tokens: int


def made(tokens: list[int], groups: str = "a") -> list[Asked]:
    return [Asked(f"k{i}", groups[i % len(groups)], n) for i, n in enumerate(tokens)]


def shards(asked: list[Asked], workers: int) -> list[Shard[Asked]]:
    return cut(asked, workers, group=lambda r: r.group, cost=lambda r: r.tokens)


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=300),
    st.sampled_from(["a", "ab", "abcdefg"]),
    st.integers(1, 9),
)
def test_every_request_is_in_one_shard_of_its_group(
    tokens: list[int], groups: str, workers: int
) -> None:
    asked = made(tokens, groups)
    found = shards(asked, workers)
    assert sorted(key for s in found for key in s.left) == sorted(r.key for r in asked)
    assert all(len({r.group for r in s.left.values()}) == 1 for s in found)
    assert all(s.left for s in found)
    assert [s.cost for s in found] == sorted((s.cost for s in found), reverse=True)


@given(st.integers(2, 8), st.integers(1, 40))
def test_nobody_is_idle_where_there_is_a_request_for_each(workers: int, more: int) -> None:
    assert len(shards(made([100] * (workers * more)), workers)) >= workers


def test_few_requests_make_one_shard_a_worker_and_many_make_several() -> None:
    assert [len(s.left) for s in shards(made([50] * 40), 2)] == [20, 20]
    many = shards(made([50] * 4000), 2)
    assert len(many) == 2 * ROUNDS
    assert all(len(s.left) >= ROWS for s in many)


def test_shards_of_a_group_cost_about_the_same_and_hold_prompts_of_like_length() -> None:
    asked = made([10] * 300 + [1000] * 30)
    found = shards(asked, 2)
    assert max(s.cost for s in found) <= 1.5 * min(s.cost for s in found)
    spans = sorted(
        (min(r.tokens for r in s.left.values()), max(r.tokens for r in s.left.values()))
        for s in found
    )
    assert sum(low != high for low, high in spans) <= 1, "one shard at most spans both lengths"


def test_order_does_not_depend_on_the_order_of_asking() -> None:
    asked = made([5, 3, 9, 9, 1] * 20, "ab")
    assert shards(asked, 3) == shards(asked[::-1], 3)


@pytest.mark.parametrize(("n", "parts"), [(5, [3, 2]), (2, [1, 1]), (1, [1])])
def test_halves_hold_what_is_left(n: int, parts: list[int]) -> None:
    whole = Shard({r.key: r for r in made([7] * n)}, cost=7 * n, deaths=2)
    found = whole.halves()
    assert [len(s.left) for s in found] == parts
    assert {k: r for s in found for k, r in s.left.items()} == whole.left
    assert all(s.deaths == 2 for s in found)


def test_nothing_left_has_no_halves() -> None:
    assert Shard({}).halves() == []
