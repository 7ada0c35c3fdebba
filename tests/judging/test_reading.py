"""Only the object that was asked for is a verdict."""

from __future__ import annotations

import pytest

from harness.judging.reading import Read, read


@pytest.mark.parametrize(
    "text",
    [
        '{"rationale": "fine", "score": 4}',
        ' {"score": 4, "rationale": "fine"}\n',
        '```json\n{"rationale": "fine", "score": 4}\n```',
        '```\n{"rationale": "fine", "score": 4}\n```',
        '<think>score: 1? {"score": 1}</think>\n{"rationale": "fine", "score": 4}',
    ],
)
def test_the_object_alone_or_in_a_block(text: str) -> None:
    assert read(text, "pointwise") == Read(score=4, rationale="fine")


@pytest.mark.parametrize("winner", ["1", "2", "tie"])
def test_winners(winner: str) -> None:
    found = read(f'{{"rationale": "", "winner": "{winner}"}}', "pairwise")
    assert found == Read(winner=winner, rationale="")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "said nothing"),
        ("score: 5", "not the JSON object"),
        ('The answer is good. {"score": 5}', "not the JSON object"),
        ('{"rationale": "cut of', "not the JSON object"),
        ('{"rationale": "x"}', "lacks 'score'"),
        ('{"score": 5, "rationale": 3}', "rationale is no text"),
        ('{"score": 5, "note": "x"}', "'note', which was not asked for"),
        ('{"score": 1, "score": 5}', "a key is there twice"),
        ('{"score": "5"}', "'5', not a whole number"),
        ('{"score": 5.0}', "5.0, not a whole number"),
        ('{"score": true}', "True, not a whole number"),
        ('{"score": 6}', "6, not a whole number"),
        ('{"score": 0}', "0, not a whole number"),
        ('{"score": NaN}', "NaN is no JSON"),
        ('{"score": null}', "None, not a whole number"),
        ("[5]", "a JSON list"),
        ("5", "a JSON int"),
        ("[" * 100_000, "nested too deeply"),
        ('{"winner": "1"}', "'winner', which was not asked for"),
    ],
)
def test_everything_else_is_unparseable(text: str, why: str) -> None:
    found = read(text, "pointwise")
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize("winner", ["1 ", "A", "", "TIE"])
def test_other_winners_are_unparseable(winner: str) -> None:
    assert isinstance(read(f'{{"winner": "{winner}"}}', "pairwise"), str)


@pytest.mark.parametrize("winner", ["1", "[]", "{}", "null"])
def test_winners_that_are_no_text_are_unparseable(winner: str) -> None:
    assert isinstance(read(f'{{"winner": {winner}}}', "pairwise"), str)
