"""What a run works on: each task's data, drawn with the run's seed, and its scorers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from harness import fingerprints, scorers
from harness.errors import DataError, SuiteError
from harness.pipeline import checks
from harness.types import Data, Sample, Scorer, Suite, Task, Variant


@dataclass(frozen=True)
class Inputs:
    """A task with its data in memory."""

    task: Task
    data: Data
    scorers: tuple[Scorer, ...]
    data_sha256: str
    """Of the samples evaluated: inputs, targets, clusters, metadata."""


def load(
    suite: Suite, variants: Sequence[Variant], *, seed: int, limit: int | None
) -> list[Inputs]:
    """Every task's data, for these of the suite's ``variants``.

    Raises DataError for data that are wrong in themselves (``checks.checked``) or that a variant
    must not learn from, SuiteError for scorers that contradict each other and for a retriever
    that has nothing to search.
    """
    inputs = [_load(task, variants, seed, limit) for task in suite.tasks]
    _check_retrieval(inputs, variants)
    return inputs


def _load(task: Task, variants: Sequence[Variant], seed: int, limit: int | None) -> Inputs:
    data = task.data(seed) if callable(task.data) else task.data
    if not isinstance(data, Data):
        raise SuiteError(
            f"The data of task '{task.name}' must be a Data, or a function from a seed to one; "
            f"got {type(data).__name__}."
        )
    data = checks.checked(task.name, data)
    if not data.eval:
        raise DataError(f"Task '{task.name}' has no samples to evaluate on.")
    if why := _learns(variants):
        # Before the limit: what a small run lets pass, the whole one must not refuse.
        checks.refuse_overlap(task.name, data, why)
    if limit is not None:
        data = replace(data, eval=drawn(data.eval, limit, seed))
    found = tuple(scorers.merged([scorers.resolve(s) for s in task.scorers]))
    try:
        scorers.check_names(found)
    except SuiteError as error:
        raise SuiteError(f"Task '{task.name}': {error}") from error
    _check_targets(task.name, data.eval, found)
    return Inputs(task, data, found, fingerprints.of(data.eval))


def _learns(variants: Sequence[Variant]) -> str | None:
    """Which variant sees training samples, and how; None: none does."""
    for variant in variants:
        if variant.adapter is not None and variant.adapter.recipe is not None:
            return f"the adapter of '{variant.name}' is trained on them"
        if variant.shots is not None:
            return f"'{variant.name}' is shown them as solved examples"
    return None


def searchers(variants: Sequence[Variant]) -> list[str]:
    """Names of the variants that search a corpus, when they answer or when they are trained."""
    return [v.name for v in variants if v.retriever is not None or _trains_with_passages(v)]


def _trains_with_passages(variant: Variant) -> bool:
    recipe = variant.adapter.recipe if variant.adapter else None
    return recipe is not None and recipe.retriever is not None and recipe.retriever_share > 0


def _check_retrieval(inputs: Sequence[Inputs], variants: Sequence[Variant]) -> None:
    names = searchers(variants)
    if names and not any(one.data.corpus for one in inputs):
        raise SuiteError(
            f"Variant '{names[0]}' has a retriever, and no task of the suite has a corpus, so it "
            "would be measured without passages. Give a task's Data a corpus, or leave the "
            "retriever out."
        )


def _check_targets(task: str, samples: Sequence[Sample], found: Sequence[Scorer]) -> None:
    comparing = [s for s in found if scorers.needs_target(s)]
    every = [row for sample in samples for row in (sample, *checks.later(sample))]
    without = [row.id for row in every if not row.targets]
    if comparing and without:
        raise DataError(
            f"Task '{task}': {len(without)} of {len(every)} samples have no target (first: "
            f"'{without[0]}'), and {comparing[0].metrics[0].name} compares with one. "
            "Give them a target, or use scorers that need none."
        )


def drawn(samples: tuple[Sample, ...], limit: int, seed: int) -> tuple[Sample, ...]:
    """``limit`` samples at random, in the data's order: a file's first rows are seldom typical.

    A larger limit keeps those of a smaller one, so that nothing is answered twice.
    """
    order = list(range(len(samples)))
    random.Random(f"limit:{seed}").shuffle(order)
    return tuple(samples[i] for i in sorted(order[:limit]))


def permuted(inputs: Inputs, seed: int) -> Inputs:
    """The same samples in a random order: the order of measuring where it matters.

    Clusters are drawn, each with all its samples; a sample without a cluster is its own.
    """
    clusters: dict[tuple[bool, str], list[Sample]] = {}
    for sample in inputs.data.eval:
        own = sample.cluster is None
        clusters.setdefault((own, sample.cluster or sample.id), []).append(sample)
    order = list(clusters.values())
    random.Random(f"order:{seed}:{inputs.task.name}").shuffle(order)
    return _with(inputs, tuple(sample for cluster in order for sample in cluster))


def whole_clusters(inputs: Inputs, n: int) -> int:
    """How many of the first samples to take for at least ``n`` (where there are so many), and no
    cluster in part; the samples of each cluster stand together."""
    samples = inputs.data.eval
    end = min(n, len(samples))
    while 0 < end < len(samples) and samples[end - 1].cluster is not None:
        if samples[end].cluster != samples[end - 1].cluster:
            break
        end += 1
    return end


def first(inputs: Inputs, n: int) -> Inputs:
    """The first ``n`` samples, or all where there are fewer."""
    return _with(inputs, inputs.data.eval[:n])


def first_rows(inputs: Inputs, n: int) -> Inputs:
    """The first samples that make ``n`` answers of a variant, follow-ups included."""
    ends = accumulate(checks.rows([sample]) for sample in inputs.data.eval)
    return first(inputs, sum(end <= n for end in ends))


def _with(inputs: Inputs, samples: tuple[Sample, ...]) -> Inputs:
    data = replace(inputs.data, eval=samples)
    return replace(inputs, data=data, data_sha256=fingerprints.of(samples))


def repeats(variants: Sequence[Variant]) -> int:
    """Answers per sample in this run. Raises SuiteError where sampled variants disagree."""
    asked = {v.generation.repeats for v in variants if v.generation.repeats > 1}
    if len(asked) > 1:
        raise SuiteError(
            f"Variants ask for different repeats ({', '.join(map(str, sorted(asked)))}). "
            "They are compared answer by answer, so use one number."
        )
    return asked.pop() if asked else 1
