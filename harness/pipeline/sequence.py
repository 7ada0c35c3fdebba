"""Samples in random order, in batches, until the evidence decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.gate import decide
from harness.pipeline import probe, record
from harness.pipeline.inputs import first, permuted
from harness.pipeline.measuring import Tables, answers, as_run
from harness.pipeline.planning import plan
from harness.pipeline.responses import Planned
from harness.pipeline.session import Work
from harness.store.runs import Run
from harness.types import Status, Suite, Variant, Verdict

DECIDED = (Status.SHIP, Status.HOLD)


def check(suite: Suite) -> None:
    """Raise UsageError where no look could ever decide."""
    if suite.rules is None or all(rule.advisory for rule in suite.rules.rules):
        raise UsageError(
            f"--sequential stops as soon as the rules are decided, and suite '{suite.name}' has no "
            "gating rule. Give the suite rules, or run without --sequential."
        )


def measure(work: Work, variants: Sequence[Variant]) -> Run:
    """The run of as many samples as the verdict needed; of all where it stays open.

    The order is a permutation drawn with the run's seed, the same for every variant, so that the
    samples seen so far are always a random draw: that is what an anytime-valid bound rests on. A
    look that finds too little to judge (INVALID) goes on.
    """
    settings, progress = work.session.settings, work.session.progress
    counts = probe.counts(work, probe.of_rules(work.session.suite.rules))
    ordered = replace(work, inputs=[permuted(one, settings.seed) for one in work.inputs])
    planned = _samples(ordered)
    made = plan(ordered, variants)
    seen = probe.measure(work, made, counts)
    done: list[record.Answer] = []
    tables: list[Tables] = []
    for look, batch in enumerate(_batches(made.planned, settings.batch), 1):
        fresh = answers(work, batch, keep_open=True, title=f"batch {look}: ")
        done += fresh
        tables.append(record.tables(fresh, work.repeats))
        part = replace(work, inputs=[first(i, look * settings.batch) for i in ordered.inputs])
        measured = _samples(part)
        about = {
            "batch": settings.batch,
            "seed": settings.seed,
            "looks": look,
            "planned": planned,
            "stopped": measured != planned,
        }
        run = as_run(part, made, done, _joined(tables), sequential=about, probe=seen)
        verdict = decide(run, work.session.suite.rules)
        progress.say(_look(look, measured, planned, verdict))
        if verdict.status in DECIDED:
            break
    work.session.close()
    return run


def _samples(work: Work) -> dict[str, int]:
    return {one.task.name: len(one.data.eval) for one in work.inputs}


def _batches(planned: Sequence[Planned], size: int) -> Iterator[list[Planned]]:
    """The next ``size`` samples of every task that has any left, of all variants."""
    ranks: dict[tuple[str, str], int] = {}
    seen: dict[str, int] = {}
    found: dict[int, list[Planned]] = {}
    for one in planned:
        task, sample = one.inputs.task.name, one.sample.id
        if (task, sample) not in ranks:
            ranks[task, sample] = seen.get(task, 0)
            seen[task] = ranks[task, sample] + 1
        found.setdefault(ranks[task, sample] // size, []).append(one)
    for number in sorted(found):
        yield found[number]


def _joined(tables: Sequence[Tables]) -> Tables:
    import pyarrow as pa

    outputs, scores = zip(*tables, strict=True)
    return pa.concat_tables(outputs), pa.concat_tables(scores)


def _look(look: int, measured: dict[str, int], planned: dict[str, int], verdict: Verdict) -> str:
    shares = ", ".join(f"{task} {n} of {planned[task]}" for task, n in measured.items())
    return f"look {look} ({shares} samples): {verdict.status.value}"
