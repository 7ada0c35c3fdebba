"""What a run works on: each task's data, drawn with the run's seed, and its scorers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness import fingerprints, scorers
from harness.errors import DataError, SuiteError
from harness.types import Data, Sample, Scorer, Suite, Task, Variant


@dataclass(frozen=True)
class Inputs:
    """A task with its data in memory."""

    task: Task
    data: Data
    scorers: tuple[Scorer, ...]
    data_sha256: str
    """Of the samples evaluated: inputs, targets, clusters, metadata."""


def load(suite: Suite, *, seed: int, limit: int | None) -> list[Inputs]:
    """Every task's data. Raises DataError where a task has none, or ids that are not unique."""
    return [_load(task, seed, limit) for task in suite.tasks]


def _load(task: Task, seed: int, limit: int | None) -> Inputs:
    data = task.data(seed) if callable(task.data) else task.data
    if not isinstance(data, Data):
        raise SuiteError(
            f"The data of task '{task.name}' must be a Data, or a function from a seed to one; "
            f"got {type(data).__name__}."
        )
    if not data.eval:
        raise DataError(f"Task '{task.name}' has no samples to evaluate on.")
    for what, ids in (
        ("evaluation samples", [s.id for s in data.eval]),
        ("training samples", [s.id for s in data.train]),
        ("documents", [d.id for d in data.corpus]),
    ):
        _check_ids(task.name, what, ids)
    if limit is not None:
        data = replace(data, eval=_draw(data.eval, limit, seed))
    found = tuple(scorers.resolve(s) for s in task.scorers)
    _check_targets(task.name, data.eval, found)
    return Inputs(task, data, found, fingerprints.of(data.eval))


def _check_ids(task: str, what: str, ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
    raise DataError(f"Task '{task}': two {what} have the id '{twice}'. Ids must be unique.")


def _check_targets(task: str, samples: Sequence[Sample], found: Sequence[Scorer]) -> None:
    comparing = [s for s in found if scorers.needs_target(s)]
    without = [s.id for s in samples if not s.targets]
    if comparing and without:
        raise DataError(
            f"Task '{task}': {len(without)} of {len(samples)} samples have no target (first: "
            f"'{without[0]}'), and {comparing[0].metrics[0].name} compares with one. "
            "Give them a target, or use scorers that need none."
        )


def _draw(samples: tuple[Sample, ...], limit: int, seed: int) -> tuple[Sample, ...]:
    """``limit`` samples at random, in the data's order: a file's first rows are seldom typical.

    A larger limit keeps those of a smaller one, so that nothing is answered twice.
    """
    order = list(range(len(samples)))
    random.Random(f"limit:{seed}").shuffle(order)
    return tuple(samples[i] for i in sorted(order[:limit]))


def repeats(variants: Sequence[Variant]) -> int:
    """Answers per sample in this run. Raises SuiteError where sampled variants disagree."""
    asked = {v.generation.repeats for v in variants if v.generation.repeats > 1}
    if len(asked) > 1:
        raise SuiteError(
            f"Variants ask for different repeats ({', '.join(map(str, sorted(asked)))}). "
            "They are compared answer by answer, so use one number."
        )
    return asked.pop() if asked else 1
