"""Functions of a user's own file as scorers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from harness import scorers
from harness.errors import SuiteError, UsageError
from harness.scorers import Custom, ExactMatch, resolve, score_all, scorer
from harness.types import Metric, Sample, Score

SAMPLES = [Sample("1", "", ("a",)), Sample("2", "", ("b",))]
AB = (Metric("m_a", "the first of two"), Metric("m_b", "the second of two", low=-1.0))


def given(items: Any, **options: Any) -> list[dict[str, Score]]:
    """What becomes of two items (or of whatever is returned instead of a list)."""

    def made(predictions, samples):
        return items() if callable(items) else items

    options = options or {"definition": "what the test says", "version": "1"}
    return score_all([scorer(**options)(made), ExactMatch()], ["a", "a"], SAMPLES)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (1, 1.0),
        (True, 1.0),
        (0.25, 0.25),
        (Fraction(1, 4), 0.25),
        (np.float32(0.25), 0.25),
        (np.int8(1), 1.0),
        (np.bool_(True), 1.0),
        (np.array([0.25]), 0.25),
        (Score(np.float64(0.25)), 0.25),
        ({"made": 0.25}, 0.25),
    ],
)
def test_numbers_of_all_kinds(item: Any, value: float) -> None:
    for items in ([0, item], (0, item)):
        rows = given(items)
        assert [row["made"] for row in rows] == [Score(0.0), Score(value)]
        assert type(rows[1]["made"].value) is float


def test_a_whole_array_is_taken() -> None:
    rows = given(np.array([0, 0.5], dtype="float32"))
    assert [row["made"] for row in rows] == [Score(0.0), Score(0.5)]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "made gave no value"),
        (float("nan"), "made gave made the impossible value nan"),
        (np.float64("inf"), "made gave made the impossible value inf"),
        (1.5, "made gave made the impossible value 1.5"),
        (10**400, "made gave an int where a number belongs"),
        ("0.5", "made gave a str where a number belongs"),
        (1j, "made gave a complex where a number belongs"),
        ([0.5], "made gave a list where a number belongs"),
        (np.array([0.5, 0.5]), "made gave a ndarray where a number belongs"),
        (Score(None, "too hard"), "too hard"),
        (Score(None), "made gave no reason"),
        (Score("high"), "made gave a str where a number belongs"),  # type: ignore[arg-type]
        ({"other": 1.0}, "made returned metrics it does not declare: ['other']"),
        ({}, "made did not return made"),
        (Score(0.5, ["a", "list"]), "made gave a reason that is no text"),  # type: ignore[arg-type]
        (Score(None, 3), "made gave no reason"),  # type: ignore[arg-type]
    ],
)
def test_an_item_that_is_no_value_leaves_its_sample_unscored(item: Any, reason: str) -> None:
    first, second = given([0.5, item])
    assert first["made"] == Score(0.5)
    assert second["made"] == Score.unscored(reason)
    assert second["exact_match"] == Score(0.0)


def fails() -> Any:
    return {}["column"]


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ([1.0], "made returned 1 items for 2 predictions"),
        ([1.0] * 3, "made returned 3 items for 2 predictions"),
        (None, "made returned a NoneType"),
        ("10", "made returned a str"),
        ({"1": 1.0, "2": 0.0}, "made returned a dict"),
        ({0.0, 1.0}, "made returned a set"),
        (itertools.repeat(1.0, 2), "made returned a repeat, and no list"),
        ((x for x in (0, 1)), "made returned a generator"),
        (np.float64(1), "made returned a float"),
        (fails, "made raised KeyError (line "),
        (lambda: (_ for _ in ()).throw(SystemExit(0)), "made raised SystemExit"),
        (lambda: pytest.skip("not here"), "made raised Skipped"),
    ],
)
def test_a_function_that_misbehaves_is_named_and_others_go_on(returned: Any, reason: str) -> None:
    for row, right in zip(given(returned), (1.0, 0.0), strict=True):
        assert row["made"].value is None
        assert reason in str(row["made"].reason)
        assert row["exact_match"].value == right


def test_several_metrics() -> None:
    rows = given([{"m_a": 1, "m_b": -1}, {"m_a": None, "m_b": Score(0.5, "half")}], metrics=AB)
    assert rows[0] == {"m_a": Score(1.0), "m_b": Score(-1.0), "exact_match": Score(1.0)}
    assert rows[1]["m_a"] == Score.unscored("made gave no value")
    assert rows[1]["m_b"] == Score(0.5, "half")
    rows = given([{"m_a": 1}, 0.5], metrics=AB)
    assert "did not return m_b" in str(rows[0]["m_b"].reason)
    assert rows[0]["m_a"] == Score(1.0)
    assert "no mapping of its 2 metrics" in str(rows[1]["m_a"].reason)


def test_a_usage_error_of_the_function_is_let_through() -> None:
    def wants(predictions, samples):
        """For this test."""
        raise UsageError("install it")

    with pytest.raises(UsageError, match="install it"):
        score_all([resolve(wants)], ["a", "a"], SAMPLES)


def test_the_decorator_says_what_the_metric_is() -> None:
    @scorer(
        definition="characters", low=None, high=0, higher_is_better=False, needs_target=False,
        name="length_left",
    )  # fmt: skip
    def left(predictions, samples):
        """Something else."""
        return [-len(p) for p in predictions]

    (metric,) = left.metrics
    assert metric == Metric("length_left", "characters", False, None, 0, False, metric.version)
    assert metric.version.startswith("left==sha256:")
    assert left(["ab"], []) == [-2], "it can be called as the function that it is"
    (row,) = score_all([left], ["ab"], [Sample("1", "")])
    assert row["length_left"] == Score(-2.0)


def same(predictions, samples):
    """1 where the prediction is a target, character for character.

    More of the docstring is not the definition.
    """
    return [p in s.targets for p, s in zip(predictions, samples, strict=True)]


def test_a_plain_function_is_what_its_docstring_says() -> None:
    made = resolve(same)  # type: ignore[arg-type]
    assert made == scorer(same) == resolve(made)
    (metric,) = made.metrics
    assert metric.name == "same"
    assert metric.definition == "1 where the prediction is a target, character for character."
    assert [row["same"].value for row in score_all([made], ["a", "a"], SAMPLES)] == [1.0, 0.0]
    assert score_all([made], ["a"], [Sample("1", "")])[0]["same"].value is None


def undocumented(predictions, samples):
    return []


def short(predictions):
    """Takes too little."""


def held(value: Any) -> Callable[..., Any]:
    def made(predictions, samples):
        """1 where the value is held."""
        return [value for _ in samples]

    return made


def typed() -> Any:
    """As if ``same`` had been typed at a prompt that keeps no source."""
    return FunctionType(same.__code__.replace(co_filename="<prompt>"), {})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Custom(), "needs a function"),
        (lambda: Custom(Sample), "needs a function"),
        (lambda: Custom(same), "at least one metric"),
        (lambda: resolve(undocumented), "Give it a docstring"),
        (lambda: resolve(short), "must take two lists"),
        (lambda: scorer(definition="d")(lambda p, s: []), "called '<lambda>'"),
        (lambda: scorer(definition="d", low=1.0, high=1.0)(same), "low < high"),
        (lambda: scorer(definition="d", low=float("nan"))(same), "low < high"),
        (lambda: scorer(definition="d", high=None, binary=True)(same), "both low and high"),
        (lambda: resolve(held(object())), "holds a object, which cannot be hashed.*version="),
        (lambda: resolve(lambda p, s: p), "does not say what it measures"),
        (lambda: resolve(typed()), "its source cannot be read.*version="),
    ],
)
def test_what_cannot_be_a_scorer_is_refused_at_once(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        make()


# ---- versions

CHECKS = """
from helper import LIMIT
def brevity(predictions, samples):
    '''1 where the prediction is short.'''
    return [len(p) < LIMIT for p in predictions]
"""


def checks(folder: Path, source: str = CHECKS, **helpers: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "checks.py").write_text(source, "utf-8")
    for name, text in {"helper": "LIMIT = 3\n", **helpers}.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return f"{folder / 'checks.py'}:brevity"


def test_an_edit_of_the_file_or_of_a_helper_is_another_version(tmp_path: Path) -> None:
    first = resolve(checks(tmp_path / "a")).metrics
    assert resolve(checks(tmp_path / "b", unused="x = 1\n")).metrics == first
    edited = [
        checks(tmp_path / "c", CHECKS.replace("<", "<=")),
        checks(tmp_path / "d", helper="LIMIT = 4\n"),
        checks(tmp_path / "e", helper="from other import LIMIT\n", other="LIMIT = 3\n"),
        checks(tmp_path / "f", helper="from other import LIMIT\n", other="LIMIT = 4\n"),
    ]
    shadow = [
        resolve(checks(tmp_path / str(n), f"import harness, json\n{CHECKS}", json=f"n = {n}\n"))
        for n in (1, 2)
    ]
    assert shadow[0].metrics == shadow[1].metrics, "the standard library's json is imported"
    versions = {m.version for spec in edited for m in resolve(spec).metrics} | {first[0].version}
    assert len(versions) == 5


def test_what_a_function_holds_is_of_its_version() -> None:
    @wraps(same)
    def around(predictions, samples):
        return same(predictions, samples)

    def recursive(predictions, samples):
        """Calls itself."""
        return recursive(predictions[1:], samples) if predictions else []

    kinds = [held(1), held(2), held("1"), held(len), held(held), around, recursive]
    assert len({scorers.fingerprint(resolve(kind)) for kind in kinds}) >= 6
    assert resolve(held(1)).metrics == resolve(held(1)).metrics
    assert resolve(held(1)).metrics != resolve(held(2)).metrics


class Limit:
    def __init__(self, limit: float) -> None:
        self.limit = limit

    def below(self, predictions, samples):
        """Below the limit."""
        return [self.limit for _ in predictions]


def test_what_the_object_of_a_method_holds_is_of_its_version() -> None:
    versions = [resolve(scorer(Limit(limit).below)).metrics for limit in (0.1, 0.9, 0.1)]
    assert versions[0] != versions[1]
    assert versions[0] == versions[2]
    texts = [resolve(held(text.count)).metrics for text in ("aaa", "ab", "aaa")]
    assert texts[0] != texts[1]
    assert texts[0] == texts[2]

    class Local:
        pass

    with pytest.raises(SuiteError, match="Local"):
        resolve(held(Local))


def test_a_helper_in_a_folder_of_its_own_is_of_the_version(tmp_path: Path) -> None:
    found = []
    for n in (1, 2, 1):
        folder = tmp_path / str(len(found))
        (folder / "helpers").mkdir(parents=True)
        (folder / "helpers" / "util.py").write_text(f"LIMIT = {n}\n", "utf-8")
        found.append(resolve(checks(folder, helper="from helpers.util import LIMIT\n")).metrics)
    assert found[0] != found[1]
    assert found[0] == found[2]


def test_what_a_function_does_to_a_sample_no_other_scorer_sees() -> None:
    def careless(predictions, samples):
        """Takes what it has read away."""
        for sample in samples:
            sample.metadata.clear()
        return [0.0] * len(samples)

    sample = Sample("1", "", metadata={"refusal": "expected"})
    rows = score_all([resolve(careless), resolve("refusal")], ["Yes."], [sample])
    assert rows[0]["refusal"].value == 1.0
    assert sample.metadata == {"refusal": "expected"}


def test_a_version_of_ones_own_is_kept() -> None:
    (metric,) = scorer(definition="d", version="judge==2")(held(object())).metrics
    assert metric.version == "judge==2"


# ---- by path


def test_a_path_names_a_function_a_decorated_one_or_any_scorer(tmp_path: Path) -> None:
    source = (
        "from harness.scorers import ExactMatch, scorer\n"
        "from helper import LIMIT\n"
        "def brevity(predictions, samples):\n    '''Short.'''\n    return [LIMIT / 3] * 2\n"
        "@scorer(definition='half')\ndef half(predictions, samples):\n    return [0.5, 0.5]\n"
        "loose = ExactMatch(ignore_case=True)\n"
    )
    file = checks(tmp_path, source).rpartition(":")[0]
    found = [resolve(f"{file}:{name}") for name in ("brevity", "half", "loose")]
    (row, _) = score_all(found, ["A", ""], SAMPLES)
    assert row == {"brevity": Score(1.0), "half": Score(0.5), "exact_match": Score(1.0)}


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (CHECKS, "brevty", "defines no 'brevty'. Did you mean 'brevity'"),
        (CHECKS, None, r"Which scorer of .*Write '.*checks.py:NAME'.* Known: brevity"),
        (CHECKS, "LIMIT", "must be a name, a function, or have 'metrics'"),
        ("def brevity(:\n", "brevity", r'(?s)syntax error.*checks\.py", line 1'),
        ("\n1 / 0\n", "brevity", r'(?s)could not be loaded.*checks\.py", line 2.*ZeroDivision'),
        ("import sys; sys.exit(0)", "brevity", "SystemExit"),
        ("import no_such_module_at_all\n", "brevity", r'(?s)checks\.py", line 1.*no_such_module'),
    ],
)
def test_a_file_that_gives_no_scorer(
    tmp_path: Path, source: str, name: str | None, message: str
) -> None:
    file = checks(tmp_path, source).rpartition(":")[0]
    with pytest.raises(UsageError, match=message):
        resolve(file if name is None else f"{file}:{name}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no file .*checks\.py"):
        resolve(f"{tmp_path}/checks.py:brevity")
