"""Finding scorers by name, running several, and what happens to one that misbehaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness import scorers
from harness.errors import SuiteError, UsageError
from harness.scorers import F1, Entities, ExactMatch, Format, Rouge, resolve, score_all
from harness.types import Metric, Sample, Score

NO_DEFAULT = {"format", "json_schema", "custom", "embedding_similarity", "judge"}
"""What they measure is told by an option."""
SAMPLES = [Sample("1", "", ("a",)), Sample("2", "", ("b",)), Sample("3", "")]


def test_names_resolve_to_scorers_and_metrics_to_a_part_of_one() -> None:
    assert resolve("exact_match") == ExactMatch()
    assert resolve("rouge_stem") == Rouge(stemmer=True)
    assert [m.name for m in resolve("rouge_l").metrics] == ["rouge_l"]
    assert [m.name for m in resolve("rouge2_stem").metrics] == ["rouge2_stem"]
    assert resolve(F1()) == F1()
    for name in scorers.names():
        if name not in NO_DEFAULT:
            assert resolve(name).metrics


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("exact_mach", "Did you mean 'exact_match'"),
        ("format", "exactly one of regex"),
        ("json_schema", r"needs schema=\{…\}"),
        (ExactMatch, r"ExactMatch\(\)"),
        (3, "'metrics' and 'score'"),
    ],
)
def test_what_is_no_scorer(spec: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"regex": "a", "labels": ["a"]}, "exactly one"),
        ({"regex": "(a"}, r"regex '\(a' is invalid"),
        ({"labels": []}, "labels"),
        ({"labels": "yes"}, "list of strings"),
        ({"labels": 3}, "list of strings"),
        ({"labels": {"a", "b"}}, "list of strings"),
        ({"regex": b"a"}, "regex must be a string"),
        ({"regex": "(" * 5000 + ")" * 5000}, "nested too deeply"),
        ({"labels": ["yes "]}, "white space"),
        ({"schema": {"properties": {"n": {"type": "numbr"}}}}, "properties/n/type"),
        ({"schema": 3}, "must be an object"),
        ({"schema": {"$schema": "https://example.org/draft"}}, "unknown draft"),
    ],
)
def test_format_refuses_at_construction(options: Mapping[str, object], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        Format(**options)


def test_entities_refuses_types_it_could_not_tell_apart() -> None:
    with pytest.raises(SuiteError, match="the same"):
        Entities(types=["PERSON", "Person"])
    with pytest.raises(SuiteError, match="list of strings"):
        Entities(types="PERSON")
    with pytest.raises(SuiteError, match="list of strings"):
        Entities(types=None)  # type: ignore[arg-type]


def test_the_definition_of_entity_f1_names_the_types_it_is_held_to() -> None:
    free, held = (Entities(types=types).metrics[0] for types in ((), ["P", "Q"]))
    assert "none of ['p', 'q']" in held.definition
    assert "none of" not in free.definition
    assert Entities(types=["Q", "P"]).metrics[0] == held
    with pytest.raises(SuiteError, match="'entity_f1' with different definitions"):
        scorers.check_names([Entities(), Entities(types=["P"])])


def test_labels_may_come_from_an_iterator() -> None:
    made = Format(labels=(label for label in "ab"))  # type: ignore[arg-type]
    assert made == Format(labels=["a", "b"])
    assert made.score(["b"], SAMPLES[:1])[0]["format"] == Score(1.0)


@dataclass(frozen=True)
class Broken:
    """Misbehaves as told."""

    how: str
    name: str = "Broken"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("broken", "for this test", binary=True, version="1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        if self.how == "raises":
            raise KeyError("column")
        if self.how == "leaves":
            sys.exit()
        value = {"nan": float("nan"), "range": 1.5, "half": 0.5}.get(self.how, 1.0)
        row = {"other" if self.how == "undeclared" else "broken": Score(value)}
        rows = [{} if self.how == "missing" else row for _ in samples]
        return rows[1:] if self.how == "short" else rows


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "KeyError"),
        ("leaves", "SystemExit"),
        ("short", "returned 1 rows for 2"),
        ("nan", "impossible value nan"),
        ("range", "impossible value 1.5"),
        ("half", "impossible value 0.5"),
        ("missing", "did not return"),
        ("undeclared", "does not declare"),
    ],
)
def test_a_broken_scorer_is_named_and_the_others_go_on(how: str, reason: str) -> None:
    rows = score_all([Broken(how), ExactMatch()], ["a", "a", "a"], SAMPLES)
    assert [row["exact_match"].value for row in rows] == [1.0, 0.0, None]
    for row in rows[:2]:
        assert row["broken"].value is None
        assert "Broken" in str(row["broken"].reason)
        assert reason in str(row["broken"].reason)
    assert "no target" in str(rows[2]["broken"].reason)


def test_no_prediction_is_unscored_and_not_an_empty_answer() -> None:
    rows = score_all([ExactMatch(), Format(labels=["a"])], [None, "a", "a"], SAMPLES)
    assert [row["exact_match"].value for row in rows] == [None, 0.0, None]
    assert [row["format"].value for row in rows] == [None, 1.0, 1.0]
    assert "no prediction" in str(rows[0]["format"].reason)


def test_one_name_has_one_meaning() -> None:
    with pytest.raises(SuiteError, match="exact_match"):
        score_all([ExactMatch(), ExactMatch(ignore_case=True)], ["a"], SAMPLES[:1])
    assert score_all([Rouge(), resolve("rouge_l")], ["a"], SAMPLES[:1])


def test_options_change_the_fingerprint() -> None:
    kinds = [ExactMatch(), ExactMatch(ignore_case=True), Rouge(), Rouge(stemmer=True)]
    kinds += [Format(regex="a"), Format(regex="b"), Format(schema={}), Format(schema=True)]
    kinds += [resolve("rouge1"), resolve("rouge_l")]
    assert len({scorers.fingerprint(kind) for kind in kinds}) == len(kinds)


def test_scorers_import_nothing_heavy() -> None:
    code = (
        "import sys, json; from harness.scorers import ExactMatch, F1, Rouge, BertScore, Format;"
        "import harness.scorers as s; [s.resolve(n).metrics for n in ('bertscore', 'f1')];"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "nltk", "rouge_score", "bert_score", "pandas", "numpy"}
    assert not heavy & set(json.loads(done.stdout))


def test_pieces_of_one_scorer_are_put_together() -> None:
    found = [scorers.resolve(n) for n in ("rouge1", "f1", "rouge_l", "rouge1_stem", "bleu")]
    together = scorers.merged(found)
    names = [[m.name for m in one.metrics] for one in together]
    assert names == [["rouge1", "rouge_l"], ["f1"], ["rouge1_stem"], ["bleu"]]
    whole = scorers.merged([scorers.resolve("rouge_l"), scorers.resolve("rouge")])
    assert whole == [scorers.Rouge()]
    again = scorers.merged([scorers.F1(), scorers.F1()])
    assert again == [scorers.F1()]


def test_scorers_that_only_python_takes_for_equal_are_kept_apart() -> None:
    schemas = [Format(schema={"const": value}) for value in (True, 1)]
    kept = scorers.merged([scorers.only(one, "format") for one in schemas])
    assert [one.metrics for one in kept] == [one.metrics for one in schemas]


@pytest.mark.parametrize(
    ("made", "option"),
    [
        (lambda: ExactMatch(ignore_case="no"), "ignore_case"),
        (lambda: Rouge(stemmer="false"), "stemmer"),
        (lambda: scorers.Bleu(lowercase=1), "lowercase"),
        (lambda: scorers.Perplexity(end_of_turn="no"), "end_of_turn"),
        (lambda: scorers.BertScore(encoder=3), "encoder"),
        (lambda: scorers.EmbeddingSimilarity(encoder=3), "encoder"),
    ],
)
def test_an_option_of_another_type_is_refused(made: Callable[[], Any], option: str) -> None:
    with pytest.raises(SuiteError, match=option):
        resolve(made())
