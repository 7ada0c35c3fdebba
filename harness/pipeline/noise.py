"""How far a score depends on what else was in the batch: the noise floor of a run.

In 16 bits the order of a sum depends on the batch's shape, so that now and then another token is
the likeliest, and the answer goes another way. A few answers are asked for again, a few at a time,
and scored; what changes is noise that no number of samples tells from an effect.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness import fingerprints
from harness.pipeline import judging, scoring
from harness.pipeline.progress import Progress
from harness.pipeline.record import Answer
from harness.pipeline.responses import Planned
from harness.store.cache import Cache
from harness.types import Completion, Engine, RuleSet, Score

FEW = 12
"""Answers of each task that are asked for again, of each engine."""
TOGETHER = 12
"""In one batch: a shape that a run of many samples hardly has."""
EXACT = "fp32"


def again(
    planned: Sequence[Planned],
    engine: Engine,
    cache: Cache,
    progress: Progress,
    known: set[tuple[str, str]],
) -> dict[str, Completion]:
    """Second answers to a few of the requests, by key; none by an engine that computes in fp32,
    nor of a task of which ``known`` has some by this engine.

    ``planned``: those that have an answer, as one that failed would fail in every run. Second
    answers are kept with their first answer's key, so that a second run asks nothing.
    """
    identity = engine.identity
    if identity.get("deterministic") or identity.get("precision") == EXACT:
        return {}
    chosen = _few(planned, fingerprints.of(identity), known)
    keys = {key: fingerprints.of({"again": 1, "request": key}) for key in chosen}
    kept = cache.get_many("evidence", keys.values())
    found = {key: Completion(key=key, **kept[name]) for key, name in keys.items() if name in kept}
    left = [chosen[key].request for key in chosen if key not in found]
    if left:
        progress.stage(f"noise of {identity['precision']} batches", len(left))
    for start in range(0, len(left), TOGETHER):
        for completion in engine.complete(left[start : start + TOGETHER]):
            if completion.error is None:
                value = fingerprints.plain(completion)
                del value["key"]
                cache.put("evidence", keys[completion.key], value)
                found[completion.key] = completion
            progress.advance()
    return found


def _few(
    planned: Sequence[Planned], engine: str, known: set[tuple[str, str]]
) -> dict[str, Planned]:
    """Of each task some, spread over its variants and samples; enters them into ``known``."""
    tasks: dict[str, dict[str, Planned]] = defaultdict(dict)
    for one in planned:
        tasks[one.inputs.task.name][one.request.key] = one
    found: dict[str, Planned] = {}
    for name, mine in tasks.items():
        if (engine, name) not in known:
            known.add((engine, name))
            keys = sorted(mine)  # hashes: an order that has nothing to do with the samples
            found.update((key, mine[key]) for key in keys[:FEW])
    return found


def floor(
    done: Sequence[Answer], seconds: Mapping[str, Completion], cache: Cache
) -> dict[str, Any] | None:
    """``noise`` of run.json: task -> {asked, changed, metrics: name -> floor}.

    With d the change of a score, the floor is 2 * sqrt(mean(d^2) / n) for the task's n samples:
    half the width of the 95% interval of the difference of two variants that differ in nothing but
    the shapes of their batches (each answer's noise has half the variance of d). None: nothing was
    asked again.
    """
    tasks: dict[str, dict[str, Answer]] = defaultdict(dict)
    samples: dict[str, set[str]] = defaultdict(set)
    for answer in done:
        name, key = answer.planned.inputs.task.name, answer.planned.request.key
        samples[name].add(answer.planned.sample.id)
        if key in seconds and answer.completion.error is None:
            tasks[name].setdefault(key, answer)
    return {
        name: _of_task(list(answers.values()), seconds, len(samples[name]), cache)
        for name, answers in tasks.items()
    } or None


def _of_task(
    answers: Sequence[Answer], seconds: Mapping[str, Completion], n: int, cache: Cache
) -> dict[str, Any]:
    first = answers[0].planned.inputs
    changed = [a for a in answers if seconds[a.planned.request.key].text != a.completion.text]
    # A judge would be asked again, and its own noise is not that of a batch.
    scorers = judging.others(first.scorers)
    rows = scoring.score(
        scorers,
        [seconds[a.planned.request.key].text for a in changed],
        [a.planned.sample for a in changed],
        cache,
    )
    metrics = {}
    for metric in (m.name for scorer in scorers for m in scorer.metrics):
        squares = [
            _square(a.scores.get(metric), row.get(metric))
            for a, row in zip(changed, rows, strict=True)
        ]
        # An answer that came out the same scores the same.
        told = [s for s in squares if s is not None]
        count = len(answers) - len(changed) + len(told)
        metrics[metric] = 2 * math.sqrt(sum(told) / count / n) if count else None
    return {"asked": len(answers), "changed": len(changed), "metrics": metrics}


def _square(one: Score | None, two: Score | None) -> float | None:
    if one is None or two is None or one.value is None or two.value is None:
        return None
    return (one.value - two.value) ** 2


def warnings(rules: RuleSet | None, noise: Mapping[str, Any] | None) -> list[str]:
    """One sentence for each rule whose margin is below the noise floor of its metric."""
    found = []
    for rule in rules.rules if rules else ():
        for task, about in (noise or {}).items():
            least = about["metrics"].get(rule.metric)
            if rule.task not in (None, task) or rule.margin is None or least is None:
                continue
            if rule.margin < least:
                found.append(
                    f"{task}: the margin {rule.margin:g} on {rule.metric} is below the noise "
                    f"floor {least:.2g}: {about['changed']} of {about['asked']} answers came out "
                    "differently in a batch of another shape. Run with --deterministic, or on "
                    "more samples."
                )
    return list(dict.fromkeys(found))
