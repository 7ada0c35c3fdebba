"""The warnings of run.json: what a reader must know beside the numbers."""

from __future__ import annotations

from dataclasses import replace

from harness.pipeline.cautions import cautions
from harness.pipeline.inputs import load
from harness.pipeline.prompting import Conversation
from harness.pipeline.record import Answer
from harness.pipeline.responses import Planned
from harness.types import (
    Completion,
    Data,
    Document,
    Prompt,
    Request,
    Retriever,
    Sample,
    Score,
    Suite,
    Task,
    Variant,
)

BASE = Variant("base", "hf:a/b")
RAG = replace(BASE, name="rag", retriever=Retriever())
SAMPLES = tuple(Sample(f"s{i}", f"q{i}", ("a",)) for i in range(4))
CORPUS = (Document("d", "x"),)


def suite(*variants: Variant) -> Suite:
    tasks = [
        Task("with", Data(SAMPLES, corpus=CORPUS), ["exact_match"]),
        Task("without", Data(SAMPLES), ["exact_match"]),
    ]
    return Suite("s", tasks, variants)


def answer(inputs, variant, sample, finish="stop", error=None, score=None) -> Answer:
    request = Request("k", Prompt((), ""))
    planned = Planned(inputs, variant, sample, 0, Conversation(()), request)
    text = None if error else "text"
    scores = {"exact_match": score or (Score.unscored("no") if error else Score(1.0))}
    return Answer(planned, Completion("k", text, 1, 1, 0.1, finish, error), scores)


def said(made: Suite, measured, rows=()) -> list[str]:
    inputs = load(made, measured, seed=0, limit=None)
    return cautions(made, measured, inputs, [answer(inputs[0], *row) for row in rows])


def test_nothing_amiss_says_nothing() -> None:
    assert said(suite(BASE), [BASE], [(BASE, s) for s in SAMPLES]) == []


def test_variants_left_out_are_named() -> None:
    assert said(suite(BASE, RAG), [BASE]) == ["Variants of the suite that were not measured: rag."]


def test_a_task_without_corpus_is_told_for_those_who_search() -> None:
    (only,) = said(suite(BASE, RAG), [BASE, RAG])
    assert only.startswith("without: the task has no corpus")
    assert "rag" in only
    assert "base" not in only


def test_answers_that_are_not_what_they_seem_are_counted() -> None:
    rows = [
        (BASE, SAMPLES[0], "error", "prompt too long"),
        (BASE, SAMPLES[1], "error", "prompt too long"),
        (BASE, SAMPLES[2], "error", "out of memory"),
        (BASE, SAMPLES[3], "length"),
    ]
    assert said(suite(BASE), [BASE], rows) == [
        "with: answers failed (prompt too long; and others): base 3 of 4.",
        "with: answers reached max_new_tokens and may be cut: base 1 of 4.",
    ]


def test_what_a_scorer_could_not_score_is_told_apart_from_failed_answers() -> None:
    broken = Score.unscored("Mine raised KeyError: 'x'")
    rows = [
        (BASE, SAMPLES[0], "error", "too long"),
        (BASE, SAMPLES[1], "stop", None, broken),
        (BASE, SAMPLES[2]),
    ]
    assert said(suite(BASE), [BASE], rows)[1:] == [
        "with: answers are unscored by exact_match (Mine raised KeyError: 'x'): base 1 of 3."
    ]


def test_one_answer_to_questions_with_different_targets_is_told() -> None:
    varied = tuple(Sample(f"s{i}", f"q{i}", ("ab"[i % 2],)) for i in range(4))
    made = replace(suite(BASE), tasks=[Task("t", Data(varied), ["exact_match"])])
    (warning,) = said(made, [BASE], [(BASE, s) for s in varied])
    assert "all 4 answers of base are the same ('text')" in warning
