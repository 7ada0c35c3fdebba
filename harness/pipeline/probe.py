"""What one user waits: warm requests of one sample at a time, the variants in turns.

The seconds of a batch divided by its rows say what a machine gets through, not what a request
takes; and a variant measured after another meets a machine in another state. So every variant
answers the same samples, one request at a time, in an order drawn anew for each sample. The whole
request is timed: search, shots, prompt, tokens, the switch to the variant's adapter (a few
milliseconds), completion. Nothing comes from the cache or goes into it. The first request of each
variant builds indexes and loads weights, and is thrown away.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare.aligned import DERIVED
from harness.compare.derived import LATENCIES
from harness.pipeline import responses
from harness.pipeline.inputs import Inputs, permuted
from harness.pipeline.planning import Plan
from harness.pipeline.record import Measured, row_id
from harness.pipeline.session import Work
from harness.stats.quantile import samples_for_quantile
from harness.types import Rule, RuleSet, Sample


@dataclass(frozen=True)
class Wanted:
    """A rule, and the one-sided alpha at which it is held."""

    rule: Rule
    alpha: float


def of_rules(rules: RuleSet | None) -> list[Wanted]:
    """The suite's rules."""
    if rules is None:
        return []
    return [Wanted(rule, rule.alpha or rules.alpha) for rule in rules.rules]


def of_targets(rules: RuleSet | None, looks: int) -> list[Wanted]:
    """The suite's targets, where ``looks`` variants are held to them."""
    if rules is None:
        return []
    return [Wanted(rule, (rule.alpha or rules.alpha) / looks) for rule in rules.targets]


def counts(work: Work, wanted: Sequence[Wanted]) -> dict[str, int]:
    """How many samples of each task to probe; tasks without any are left out."""
    return counts_of(work.inputs, wanted, work.session.settings.probe)


def counts_of(
    inputs: Sequence[Inputs], wanted: Sequence[Wanted], said: int | None
) -> dict[str, int]:
    """As many as the caller ``said``, else as give the quantile of each rule on latency a bound (59
    for the 95th percentile at alpha 0.05), at least its ``min_samples``; never more than there are.
    """
    found = {}
    for one in inputs:
        needed = [
            max(samples_for_quantile(DERIVED[w.rule.metric].quantile or 0.5, w.alpha), least)
            for w in wanted
            if w.rule.metric in LATENCIES and w.rule.task in (None, one.task.name)
            for least in [w.rule.min_samples]
        ]
        count = max(needed, default=0) if said is None else said
        if count:
            found[one.task.name] = min(count, len(one.data.eval))
    return found


def measure(work: Work, made: Plan, counts: Mapping[str, int]) -> dict[str, Any] | None:
    """``probe`` of run.json: seconds by task, variant and sample; null where a request failed.

    Samples are the first of the seeded order that a sequential run measures in. None: nothing to
    probe.
    """
    if not counts:
        return None
    session, seed = work.session, work.session.settings.seed
    variants = len(made.measured)
    session.progress.stage("latency, one request at a time", sum(counts.values()) * variants)
    tasks = {}
    with session.timed("probe"):
        for one in work.inputs:
            if one.task.name in counts:
                samples = permuted(one, seed).data.eval[: counts[one.task.name]]
                tasks[one.task.name] = _task(work, made, one, samples)
    return {"requests": sum(counts.values()) * variants, "seed": seed, "tasks": tasks}


def _task(work: Work, made: Plan, one: Inputs, samples: Sequence[Sample]) -> dict[str, Any]:
    draw = random.Random(f"probe:{work.session.settings.seed}:{one.task.name}")
    seconds: dict[str, list[float | None]] = {m.variant.name: [] for m in made.measured}
    for measured in made.measured:
        _seconds(work, measured, one, samples[0])
    for sample in samples:
        for measured in draw.sample(made.measured, len(made.measured)):
            name = measured.variant.name
            seconds[name].append(_seconds(work, measured, one, sample))
            work.session.progress.advance(1, f"{one.task.name}, {name}")
    return {
        # A sample with several answers is asked once, as its first.
        "sample_id": [row_id(sample, 0, work.repeats) for sample in samples],
        "latency_s": seconds,
    }


def _seconds(work: Work, measured: Measured, one: Inputs, sample: Sample) -> float | None:
    """Wall seconds from the sample to its answer; None where there was none."""
    session, adapter = work.session, measured.adapter
    engine = session.engine(measured.variant)
    started = time.perf_counter()
    talks = session.prompter.conversations(one, measured.variant, [sample])
    (planned,) = responses.plan(
        one,
        measured.variant,
        [sample],
        talks,
        engine=engine,
        adapter=adapter.applied if adapter else None,
        repeats=1,
    )
    (completion,) = engine.complete([planned.request])
    seconds = time.perf_counter() - started
    return round(seconds, 6) if completion.error is None else None
