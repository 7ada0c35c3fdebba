"""Values that others computed: published ones, and those of the reference packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers import F1, Entities, ExactMatch, Format, Rouge
from harness.types import Sample, Score, Scorer

ORACLES = Path(__file__).parents[2].parent / "shared" / "oracles"
WORDS = st.text(alphabet="ab AB.,the\n\u00e9", max_size=30)


def value(scorer: Scorer, metric: str, prediction: str, *targets: str) -> float | None:
    return one(scorer, metric, prediction, *targets).value


def one(scorer: Scorer, metric: str, prediction: str, *targets: str) -> Score:
    return scorer.score([prediction], [Sample("1", "", targets)])[0][metric]


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    if not ORACLES.is_dir():
        pytest.skip(f"no oracles at {ORACLES}")
    found: dict[str, Any] = json.loads((ORACLES / "metrics.json").read_text("utf-8"))
    return found


def test_squad_f1_and_exact_match_oracle(oracle: dict[str, Any]) -> None:
    for prediction, target, wanted in oracle["squad_f1"]["cases"]:
        assert value(F1(), "f1", prediction, target) == pytest.approx(wanted, abs=1e-12)
    for prediction, target, wanted in oracle["exact_match"]["cases"]:
        assert value(ExactMatch(), "exact_match", prediction, target) == wanted


@pytest.mark.parametrize("line", [0, 1])
def test_rouge_oracle(oracle: dict[str, Any], line: int) -> None:
    target = (ORACLES / "rouge_target.txt").read_text("utf-8").splitlines()[line]
    prediction = (ORACLES / "rouge_prediction.txt").read_text("utf-8").splitlines()[line]
    names = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}
    for theirs, wanted in oracle["rouge"][f"line_{line + 1}"].items():
        stem = theirs.endswith("_stemmed")
        name = names[theirs.removesuffix("_stemmed")] + ("_stem" if stem else "")
        got = value(Rouge(stemmer=stem), name, prediction, target)
        assert got == pytest.approx(wanted, abs=5e-6), name


@given(WORDS, WORDS)
def test_f1_is_symmetric_and_one_only_for_the_same_words(left: str, right: str) -> None:
    forward, backward = value(F1(), "f1", left, right), value(F1(), "f1", right, left)
    assert forward == backward
    assert (forward == 1.0) == (sorted(_squad(left)) == sorted(_squad(right)))


def _squad(text: str) -> list[str]:
    """The normalisation of evaluate-v1.1.py, by hand for this alphabet."""
    kept = "".join(c for c in text.lower() if c not in ".,")
    return [word for word in kept.split() if word not in ("a", "an", "the")]


@given(WORDS, st.text(alphabet=" \n\t", max_size=3))
def test_white_space_at_the_ends_never_decides(text: str, space: str) -> None:
    assert value(ExactMatch(), "exact_match", space + text, text + space) == 1.0


def test_exact_match_options() -> None:
    cases = [
        ({"ignore_case": True}, "paris", "Paris"),
        ({"ignore_punctuation": True}, "( B )", "B."),
        ({"ignore_articles": True}, "The  end", "end"),
    ]
    for options, prediction, target in cases:
        assert value(ExactMatch(), "exact_match", prediction, target) == 0.0
        changed = ExactMatch(**options)
        assert value(changed, "exact_match", prediction, target) == 1.0
        assert changed.metrics[0].definition != ExactMatch().metrics[0].definition


def test_format_matches_the_whole_output() -> None:
    regex = Format(regex=r"\d+")
    assert value(regex, "format", " 12\n") == 1.0
    assert value(regex, "format", "12 apples") == 0.0
    labels = Format(labels=["satire", "news"])
    assert value(labels, "format", "news\n") == 1.0
    assert value(labels, "format", "News") == 0.0


def test_a_regex_that_explodes_is_unscored() -> None:
    score = one(Format(regex=r"(a|a|aa)+$"), "format", "a" * 60 + "!")
    assert score.value is None
    assert "longer than" in str(score.reason)


def test_a_regex_that_calls_itself_without_end_costs_its_own_outputs_alone() -> None:
    # The package regex runs out of the memory that it allows itself, or first out of time.
    scorer = Format(regex="a+|(?=b)(?R)")
    samples = [Sample(str(i), "") for i in range(3)]
    rows = scorer.score(["b", "aa", "c"], samples)
    assert [row["format"].value for row in rows] == [None, 1.0, 0.0]
    assert rows[0]["format"].reason in (
        "the regex took more memory than it may have",
        "the regex took longer than 1 s",
    )


def test_format_schema_is_strict_json() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "number"}}}
    scorer = Format(schema=schema)
    assert value(scorer, "format", ' {"n": 1}\n') == 1.0
    for wrong in ('{"n": NaN}', '{"n": "1"}', '```json\n{"n": 1}\n```', '{"n": 1} ok', "{'n': 1}"):
        assert value(scorer, "format", wrong) == 0.0
    refers = one(Format(schema={"$ref": "https://example.org/no.json"}), "format", "1")
    assert refers.value is None
    assert "example.org" in str(refers.reason)


def entities(*pairs: tuple[str, str]) -> str:
    return json.dumps([{"text": text, "type": kind} for text, kind in pairs])


def test_entity_f1_counts_repeats_and_types() -> None:
    scorer = Entities(types=("PERSON", "PLACE"))
    target = entities(("Ada", "PERSON"), ("Ada", "PERSON"), ("Rome", "PLACE"))
    found = entities(("ada ", "person"), ("Rome", "PERSON"))
    # One of two predicted is right, of three wanted: 2*1/(2+3).
    assert value(scorer, "entity_f1", found, target) == pytest.approx(0.4)
    assert value(scorer, "entity_f1_PERSON", found, target) == pytest.approx(0.5)
    assert value(scorer, "entity_f1_PLACE", found, target) == 0.0
    assert value(scorer, "entity_f1", "[]", "[]") == 1.0
    assert value(scorer, "entity_f1_PLACE", entities(("Ada", "PERSON")), "[]") == 1.0


@pytest.mark.parametrize("output", ["", "none", "{}", '["Ada"]', '[{"text": "Ada"}]', "[[]]"])
def test_output_that_is_no_array_of_entities_scores_zero(output: str) -> None:
    assert value(Entities(), "entity_f1", output, "[]") == 0.0


@pytest.mark.parametrize("target", ["Ada", '[{"text": "Ada", "type": "PRESON"}]'])
def test_targets_that_cannot_be_right_are_unscored(target: str) -> None:
    score = one(Entities(types=("PERSON",)), "entity_f1", "[]", target)
    assert score.value is None
    assert score.reason
