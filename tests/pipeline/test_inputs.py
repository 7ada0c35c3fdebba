"""What a suite gives the pipeline, checked before anything is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import DataError, SuiteError
from harness.pipeline.inputs import load
from harness.scorers import BertScore, ExactMatch
from harness.types import (
    Adapter,
    Data,
    Document,
    LoraRecipe,
    Retriever,
    Sample,
    Shots,
    Suite,
    Task,
    Variant,
)

PLAIN = Variant("zero_shot", "hf:a/b")
TRAINED = replace(PLAIN, name="adapter", adapter=Adapter(LoraRecipe()))
GIVEN = replace(PLAIN, name="given", adapter=Adapter(path="adapter"))
SHOWN = replace(PLAIN, name="few_shot", shots=Shots(2))
SEARCHES = replace(PLAIN, name="rag", retriever=Retriever())
GOOD = Sample("a", "q", ("b",))


def loaded(*data: Data, variants=(PLAIN,), scorers=("exact_match",), limit=None):
    tasks = [Task(f"t{i}", one, scorers) for i, one in enumerate(data)]
    return load(Suite("s", tasks, variants), variants, seed=0, limit=limit)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targets": "banana"}, r"targets must be a tuple.*Write targets=\('banana',\)"),
        ({"targets": None}, "targets must be a tuple of texts, got None"),
        ({"targets": (1,)}, r"Write str\(\.\.\.\)"),
        ({"id": ""}, "number 2: id must be a text that is not empty"),
        ({"id": 7}, "number 2: id must be a text"),
        ({"input": None}, "input must be a text"),
        ({"input": ()}, "input must be a text"),
        ({"input": ({"role": "user"},)}, "keys 'role' and 'content'"),
        ({"input": ({"role": "usr", "content": "q"},)}, "Did you mean 'user'"),
        ({"input": ({"role": "user", "content": 1},)}, "content must be a text"),
        ({"input": ({"role": "assistant", "content": "q"},)}, "last message must be the user's"),
        ({"cluster": 3}, "cluster must be None or a text"),
        ({"metadata": {"when": {1, "a"}.__iter__()}}, "metadata 'when' must be JSON"),
        ({"metadata": {"size": float("nan")}}, "metadata 'size' must be JSON"),
        ({"metadata": {1: "a"}}, "keys are texts"),
        ({"metadata": None}, "metadata must be a dict"),
    ],
)
@pytest.mark.parametrize("part", ["eval", "train"])
def test_a_sample_made_wrong_is_named_with_the_remedy(
    part: str, wrong: dict[str, Any], says: str
) -> None:
    bad: Any = replace(Sample("z", "another", ("b",)), **wrong)
    data = Data(eval=(GOOD, bad)) if part == "eval" else Data(eval=(GOOD,), train=(GOOD, bad))
    with pytest.raises(DataError, match=says) as error:
        loaded(data)
    assert "Task 't0', " + ("evaluation" if part == "eval" else "training") in str(error.value)
    assert "'z'" in str(error.value) or "number 2" in str(error.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (Data(eval=(s for s in [GOOD])), r"eval must be a tuple or list.*tuple\(\.\.\.\)"),
        (Data(eval=({"id": "a"},)), "evaluation sample number 1: must be a Sample"),
        (Data(eval=()), "no samples to evaluate on"),
        (Data(eval=(GOOD, GOOD)), "two evaluation samples have the id 'a'"),
        (Data(eval=(GOOD,), corpus=(Document("d", None),)), "document 'd': text must be"),
        (Data(eval=(GOOD,), corpus=(Document("d", "x"),) * 2), "two documents have the id 'd'"),
        (Data(eval=(replace(GOOD, targets=()),)), "have no target"),
    ],
)
def test_data_made_wrong_is_named(data: Data, says: str) -> None:
    with pytest.raises(DataError, match=says):
        loaded(data)


def test_what_is_right_is_kept_as_tuples() -> None:
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    samples = [Sample("a", talk, ["b"], "c", {"n": 1, "deep": [{"x": None}]}), GOOD]
    samples[1] = replace(GOOD, id="é", input="")
    (one,) = loaded(Data(eval=samples, train=[], corpus=[]))
    assert one.data == Data(eval=tuple(samples))


def test_data_that_are_no_data_are_the_suites_mistake() -> None:
    suite = Suite("s", [Task("t", lambda seed: [GOOD], ["exact_match"])], [PLAIN])
    with pytest.raises(SuiteError, match="got list"):
        load(suite, [PLAIN], seed=0, limit=None)


def test_a_metric_has_one_meaning_in_a_task() -> None:
    """Also where its scorers' values are kept apart, as those of two encoders are."""
    data = Data(eval=(GOOD,))
    two = (BertScore(encoder="hf:one/model"), BertScore(encoder="hf:another/model"))
    with pytest.raises(SuiteError, match=r"Task 't0'.*'bertscore'"):
        loaded(data, scorers=two)
    with pytest.raises(SuiteError, match="'exact_match'"):
        loaded(data, scorers=("exact_match", ExactMatch(ignore_case=True)))
    assert loaded(data, scorers=("exact_match", "exact_match"))


SEEN = Data(
    eval=(Sample("e0", "new", ("b",)), Sample("e1", "  The SAME\tquestion", ("b",))),
    train=(Sample("t0", "old", ("b",)), Sample("t1", "the same question ", ("b",))),
)


@pytest.mark.parametrize(
    ("variant", "how"),
    [(TRAINED, "the adapter of 'adapter' is trained on them"), (SHOWN, "'few_shot' is shown")],
)
def test_a_question_that_was_learnt_is_refused(variant: Variant, how: str) -> None:
    with pytest.raises(DataError, match=how) as error:
        loaded(SEEN, variants=(PLAIN, variant))
    message = str(error.value)
    assert "1 of 2 evaluation samples" in message
    assert "first: 'e1', as training sample 't1'" in message
    assert "harness.data.split" in message


def test_a_small_run_refuses_what_the_whole_one_would() -> None:
    many = Data(eval=(*SEEN.eval, *(Sample(f"x{i}", f"x{i}", ("b",)) for i in range(50))))
    with pytest.raises(DataError, match="1 of 52"):
        loaded(replace(many, train=SEEN.train), variants=(TRAINED,), limit=1)


@pytest.mark.parametrize("variant", [PLAIN, GIVEN, SEARCHES])
def test_variants_that_learn_nothing_may_share_questions(variant: Variant) -> None:
    assert loaded(replace(SEEN, corpus=(Document("d", "x"),)), variants=(variant,))


def test_conversations_are_compared_turn_by_turn() -> None:
    def talk(before: str) -> tuple[dict[str, str], ...]:
        return (
            {"role": "user", "content": before},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "And now?"},
        )

    apart = Data(
        eval=(Sample("e", talk("one"), ("b",)),), train=(Sample("t", talk("two"), ("b",)),)
    )
    assert loaded(apart, variants=(TRAINED,))
    same = replace(apart, train=(Sample("t", talk("ONE"), ("b",)),))
    with pytest.raises(DataError, match="1 of 1"):
        loaded(same, variants=(TRAINED,))


RECIPE = LoraRecipe(retriever=Retriever(), retriever_share=0.5)


@pytest.mark.parametrize(
    "variant", [SEARCHES, replace(PLAIN, name="taught", adapter=Adapter(RECIPE))]
)
def test_a_retriever_without_any_corpus_is_refused(variant: Variant) -> None:
    bare, full = Data(eval=(GOOD,)), Data(eval=(GOOD,), corpus=(Document("d", "x"),))
    with pytest.raises(SuiteError, match=f"'{variant.name}' has a retriever.*corpus"):
        loaded(bare, bare, variants=(PLAIN, variant))
    assert loaded(bare, full, variants=(PLAIN, variant))
    assert loaded(bare, variants=(PLAIN,))
