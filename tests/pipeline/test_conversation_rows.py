"""How many samples a number of answers stands for, where some samples go on."""

from __future__ import annotations

import pytest

from harness import Data, Sample, Task, Turn
from harness.pipeline.checks import later, rows
from harness.pipeline.inputs import Inputs, first_rows

SAMPLES = (
    Sample("a", "q"),
    Sample("b", "q", follow_ups=(Turn("and?"), Turn("so?"))),
    Sample("c", "q", follow_ups=(Turn("and?"),)),
)


@pytest.mark.parametrize(("n", "ids"), [(0, ""), (1, "a"), (3, "a"), (4, "ab"), (6, "abc")])
def test_answers_of_whole_conversations(n: int, ids: str) -> None:
    data = Data(SAMPLES)
    kept = first_rows(Inputs(Task("t", data, ["length"]), data, (), ""), n)
    assert "".join(sample.id for sample in kept.data.eval) == ids


def test_each_turn_is_a_row_with_all_that_was_asked_before() -> None:
    assert rows(SAMPLES) == 6
    second, third = later(SAMPLES[1])
    assert (second.id, third.id) == ("b@2", "b@3")
    assert [turn["content"] for turn in third.input] == ["q", "and?", "so?"]  # type: ignore[index]
    assert {second.cluster, third.cluster} == {"b"}
