"""Which prompts share a beginning: nothing is shared that is not equal, and sharing pays."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from harness.engines import prefixes
from harness.engines.prefixes import LEAST

shared = partial(prefixes.shared, worth=0)

SYSTEM, FIRST, SECOND = [1] * 40, [2] * 60, [3] * 60


def spared(prompts: list[list[int]], lengths: list[int]) -> int:
    groups: dict[tuple[int, ...], int] = defaultdict(int)
    for prompt, length in zip(prompts, lengths, strict=True):
        if length:
            groups[tuple(prompt[:length])] += 1
    return sum((n - 1) * len(beginning) for beginning, n in groups.items())


def test_questions_about_one_document_share_it_and_the_rest_share_the_system_prompt() -> None:
    prompts = [
        [*SYSTEM, *FIRST, 7],
        [*SYSTEM, 8, 9],
        [*SYSTEM, *SECOND, 9, 9],
        [*SYSTEM, *FIRST, 8, 5],
        [*SYSTEM, 9],
        [*SYSTEM, *SECOND, 4],
        [5] * 70,
    ]
    assert shared(prompts) == [100, 40, 100, 100, 40, 100, 0]


def test_two_rows_do_not_leave_a_crowd_for_one_more_token() -> None:
    crowd = [[*SYSTEM, k] for k in range(10, 40)]
    pair = [[*SYSTEM, 5, 1], [*SYSTEM, 5, 2]]
    assert shared(crowd + pair) == [40] * 32


def test_a_group_that_spares_little_is_no_group() -> None:
    crowd = [[*SYSTEM, k] for k in range(10, 17)]
    assert prefixes.shared(crowd, worth=241) == [0] * 7
    assert prefixes.shared(crowd, worth=240) == [40] * 7
    pair = [[*SYSTEM, *FIRST, 1], [*SYSTEM, *FIRST, 2]]
    assert prefixes.shared(crowd + pair, worth=101) == [40] * 9
    assert prefixes.shared(crowd + pair, worth=100) == [40] * 7 + [100] * 2


def test_equal_prompts_leave_one_token_to_read() -> None:
    assert shared([[*FIRST], [*FIRST]]) == [59, 59]


def test_short_beginnings_and_lonely_prompts_share_nothing() -> None:
    assert shared([[1] * (LEAST - 1) + [k] for k in range(5)]) == [0] * 5
    assert shared([SYSTEM]) == [0]
    assert shared([]) == []


def test_beginnings_beyond_the_bound_are_given_up_those_first_that_spare_least() -> None:
    many = [[*FIRST, k] for k in range(5)]
    few = [[*SECOND, k] for k in range(2)]
    assert shared(few + many, most=119) == [0] * 2 + [60] * 5
    assert shared(few + many, most=120) == [60] * 7
    assert shared(few + many, most=0) == [0] * 7


@given(
    st.lists(
        st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(
            lambda parts: [ord(part) for part in parts for _ in range(20)]
        ),
        max_size=12,
    )
)
def test_what_is_shared_is_equal_and_leaves_a_token(prompts: list[list[int]]) -> None:
    lengths = shared(prompts)
    groups: dict[tuple[int, ...], int] = defaultdict(int)
    for prompt, length in zip(prompts, lengths, strict=True):
        assert length == 0 or LEAST <= length < len(prompt)
        groups[tuple(prompt[:length])] += 1
    assert all(n > 1 for beginning, n in groups.items() if beginning), "no group of one"
    one_for_all = (
        min(
            (
                min(map(len, prompts)) - 1,
                *(_alike(prompts)),
            ),
            default=0,
        )
        if prompts
        else 0
    )
    if one_for_all >= LEAST:
        assert spared(prompts, lengths) >= (len(prompts) - 1) * one_for_all


def _alike(prompts: list[list[int]]) -> list[int]:
    first = prompts[0] if prompts else []
    return [
        next((i for i, (a, b) in enumerate(zip(first, other, strict=False)) if a != b), len(first))
        for other in prompts[1:]
    ]
