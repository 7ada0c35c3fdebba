"""Samples in random order, in batches, until the evidence decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.gate import decide
from harness.pipeline import probe, record
from harness.pipeline.inputs import first, permuted, whole_clusters
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
    samples seen so far are always a random draw: that is what an anytime-valid bound rests on.
    Clusters are drawn whole, as one that grows after a look is not what it was. A look that finds
    too little to judge (INVALID) goes on.
    """
    settings, rules = work.session.settings, work.session.suite.rules
    counts = probe.counts(work, probe.of_rules(rules))
    ordered = replace(work, inputs=[permuted(one, settings.seed) for one in work.inputs])
    made = plan(ordered, variants)
    seen = probe.measure(work, made, counts)
    looks = _looks(ordered, settings.batch, counts)
    done: list[record.Answer] = []
    tables: list[Tables] = []
    for look, measured in enumerate(looks, 1):
        before = looks[look - 2] if look > 1 else {}
        batch = _between(made.planned, ordered, before, measured)
        fresh = answers(work, batch, keep_open=True, title=f"batch {look}: ")
        done += fresh
        tables.append(record.tables(fresh, work.repeats))
        part = replace(work, inputs=[first(i, measured[i.task.name]) for i in ordered.inputs])
        about = {
            "batch": settings.batch,
            "seed": settings.seed,
            "looks": look,
            "planned": looks[-1],
            "stopped": look < len(looks),
        }
        run = as_run(part, made, done, _joined(tables), sequential=about, probe=seen)
        verdict = decide(run, rules, sequential=True)
        work.session.progress.say(_look(look, measured, looks[-1], verdict))
        if verdict.status in DECIDED:
            break
    work.session.close()
    return run


def _looks(ordered: Work, size: int, probed: Mapping[str, int]) -> list[dict[str, int]]:
    """Samples of each task that are measured by each look.

    The first look waits for those that were probed, so that no look finds one of which nothing
    but its latency is known.
    """
    counts = {i.task.name: whole_clusters(i, probed.get(i.task.name, 0)) for i in ordered.inputs}
    everything = {i.task.name: len(i.data.eval) for i in ordered.inputs}
    found: list[dict[str, int]] = []
    done = dict.fromkeys(everything, 0)
    while done != everything:
        done = {
            i.task.name: max(
                whole_clusters(i, done[i.task.name] + size), counts[i.task.name] if not found else 0
            )
            for i in ordered.inputs
        }
        found.append(done)
    return found


def _between(
    planned: Sequence[Planned], ordered: Work, start: Mapping[str, int], end: Mapping[str, int]
) -> list[Planned]:
    """The planned answers of each task's samples from number ``start`` to before ``end``."""
    wanted = {
        (i.task.name, sample.id)
        for i in ordered.inputs
        for sample in i.data.eval[start.get(i.task.name, 0) : end[i.task.name]]
    }
    return [p for p in planned if (p.inputs.task.name, p.sample.id) in wanted]


def _joined(tables: Sequence[Tables]) -> Tables:
    import pyarrow as pa

    outputs, scores, judgments = zip(*tables, strict=True)
    judged = [one for one in judgments if one is not None]
    return (
        pa.concat_tables(outputs),
        pa.concat_tables(scores),
        pa.concat_tables(judged) if judged else None,
    )


def _look(
    look: int, measured: Mapping[str, int], planned: Mapping[str, int], verdict: Verdict
) -> str:
    shares = ", ".join(f"{task} {n} of {planned[task]}" for task, n in measured.items())
    return f"look {look} ({shares} samples): {verdict.status.value}"
