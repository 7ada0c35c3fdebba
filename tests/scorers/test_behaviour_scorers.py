"""What a model does beside being right: it repeats itself, it runs on, it tells personal data."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import scorers
from harness.errors import SuiteError
from harness.scorers import Length, Repetition
from harness.types import Sample, Scorer


def values(scorer: Scorer, text: str) -> dict[str, float | None]:
    (row,) = scorer.score([text], [Sample("1", "")])
    return {name: score.value for name, score in row.items()}


def repetition(text: str, n: int = 4) -> float:
    found = values(Repetition(n), text)["repetition"]
    assert found is not None
    return found


# ------------------------------------------------------------------------ repetition


@pytest.mark.parametrize(
    ("text", "n", "wanted"),
    [
        ("", 4, 0.0),
        (" \n", 4, 0.0),
        ("to be or", 4, 0.0),
        ("to be or not", 4, 0.0),
        # Five 4-grams, the first and the last are the same.
        ("a b c d a b c d", 4, 1 / 5),
        # Six words of which four are different.
        ("to be or not to be", 1, 2 / 6),
        ("to be or not to be", 2, 1 / 5),
        ("To be or not to be", 1, 1 / 6),
        ("a a a a a a a", 4, 3 / 4),
        ("a b\nc  d a\tb c d", 4, 1 / 5),
        ("yes, yes", 1, 0.0),
    ],
)
def test_the_share_of_n_grams_that_are_repeats(text: str, n: int, wanted: float) -> None:
    assert repetition(text, n) == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize(
    "loop",
    ["a" * 5000, "ha" * 2500, "-" * 5000, "😂" * 5000, "私は猫です。" * 500, "ไปไหนมา" * 500],
)
def test_a_loop_without_white_space_is_seen(loop: str) -> None:
    assert repetition(loop) > 0.98


@pytest.mark.parametrize(
    "text",
    [
        "昨日は友達と東京へ行き、美しい桜の花を見ました。",
        "The site is https://www.example.org/a/long/path/that/goes/on/and/on?page=2 as of today.",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    ],
)
def test_prose_without_white_space_hardly_repeats(text: str) -> None:
    assert repetition(text) < 0.05


@given(st.lists(st.sampled_from(["a", "B", "a,", "漢"]), max_size=40), st.integers(1, 6))
def test_repetition_is_a_share_whichever_way_it_is_read(words: list[str], n: int) -> None:
    found = repetition(" ".join(words), n)
    assert 0.0 <= found < 1.0
    assert found == repetition("\n".join(reversed(words)), n)
    assert (found == 0.0) == all(
        words[i : i + n] != words[j : j + n]
        for i in range(len(words) - n + 1)
        for j in range(i + 1, len(words) - n + 1)
    )


def test_words_of_a_script_without_spaces_are_characters() -> None:
    # 猫, が, 猫, を: four words of which three are different.
    assert repetition("猫が猫を", 1) == 1 / 4
    # A vowel sign does not stand alone: กา, กี.
    assert repetition("กากี", 1) == 0.0


@pytest.mark.parametrize("n", [0, -1, 21, 10**9, 2.5, "4", True, None])
def test_an_impossible_n_is_refused_by_name(n: Any) -> None:
    with pytest.raises(SuiteError, match="n must be a whole number from 1 to 20"):
        Repetition(n)


def test_n_is_in_the_definition_and_lower_is_better() -> None:
    (metric,) = scorers.resolve("repetition").metrics
    assert (metric.name, metric.higher_is_better, metric.low, metric.high) == (
        *("repetition", False),
        *(0.0, 1.0),
    )
    assert "4-grams" in metric.definition
    assert "2-grams" in Repetition(2).metrics[0].definition
    assert not scorers.needs_target(Repetition())


@pytest.mark.parametrize("text", ["a" * 100_000, "a " * 50_000, "漢" * 100_000, " " * 100_000])
def test_repetition_of_a_long_text_is_quick(text: str) -> None:
    started = time.perf_counter()
    Repetition(20).score([text], [Sample("1", "")])
    assert time.perf_counter() - started < 2.0


# ---------------------------------------------------------------------------- length


@pytest.mark.parametrize(
    ("text", "words", "chars"),
    [
        ("", 0, 0),
        (" \n", 0, 0),
        (" two  words\n", 2, 10),
        ("e\u0301", 1, 2),
        ("日本語", 1, 3),
        ("🙂 🙂", 2, 3),
    ],
)
def test_length_counts_words_and_characters(text: str, words: int, chars: int) -> None:
    assert values(Length(), text) == {"length_words": words, "length_chars": chars}


def test_length_has_no_greatest_value() -> None:
    assert [(m.name, m.low, m.high) for m in scorers.resolve("length").metrics] == [
        ("length_words", 0.0, None),
        ("length_chars", 0.0, None),
    ]
    assert [m.name for m in scorers.resolve("length_chars").metrics] == ["length_chars"]
    assert not scorers.needs_target(Length())
