"""From planned answers to a run in memory: answers, scores, tables, manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import fingerprints
from harness.pipeline import (
    engines,
    judged,
    judging,
    likelihoods,
    noise,
    probe,
    record,
    responses,
    scoring,
    turns,
)
from harness.pipeline.cautions import about_servers, cautions
from harness.pipeline.planning import Plan, plan
from harness.pipeline.session import Work
from harness.store.runs import Run
from harness.types import RETRIEVED, Completion, Engine, Likelihood, Sample, Variant

if TYPE_CHECKING:
    import pyarrow as pa

Tables = tuple["pa.Table", "pa.Table", "pa.Table | None"]
"""outputs, scores, judgments."""


def whole(
    work: Work, variants: Sequence[Variant], latencies: Sequence[probe.Wanted], **found: Any
) -> Run:
    """Every answer of these variants, and the probe that ``latencies`` need.

    ``found``: further keys of the manifest.
    """
    made = plan(work, variants)
    counts = probe.counts(work, latencies)
    done = answers(work, made.planned, keep_open=bool(counts))
    seen = probe.measure(work, made, counts)
    work.session.close()
    return as_run(work, made, done, record.tables(done, work.repeats), probe=seen, **found)


def answers(
    work: Work, planned: Sequence[responses.Planned], *, keep_open: bool, title: str = ""
) -> list[record.Answer]:
    """The answers and their scores, task by task.

    ``keep_open``: leave every base loaded, for what is asked next; else one is in memory at a
    time. ``title``: what the progress says before the name of the step.
    """
    session = work.session
    completions: dict[str, Completion] = {}
    likely: dict[tuple[str, str], Likelihood] = {}
    asked: list[responses.Planned] = []
    for place, engine in session.engines.items():
        mine = [p for p in planned if engines.place(p.variant) == place]
        if not mine:
            continue
        with session.timed("answers"):
            mine = _conversed(work, mine, engine, completions, title)
        asked += mine
        with session.timed("likelihoods"):
            # A turn that was never asked has no likelihood either.
            there = [p for p in mine if p.of is None or not completions[p.request.key].error]
            likely.update(likelihoods.collect(there, engine, work.cache, session.progress, title))
        with session.timed("noise"):
            answered = [p for p in mine if completions[p.request.key].error is None]
            session.again |= noise.again(
                answered, engine, work.cache, session.progress, session.doubted
            )
        if not keep_open:
            engine.close()
    with session.timed("scoring"):
        done = _scored(work, _in_order(planned, asked), completions, likely, title)
    with session.timed("judging"):
        return _judged(work, done, title)


def _conversed(
    work: Work,
    planned: Sequence[responses.Planned],
    engine: Engine,
    completions: dict[str, Completion],
    title: str,
) -> list[responses.Planned]:
    """All answers of one engine, follow-ups included, with what came back in ``completions``."""
    progress, found, last, turn = work.session.progress, list(planned), list(planned), 1
    completions.update(responses.collect(last, engine, work.cache, progress, title))
    while any(len(p.whole.follow_ups) >= turn for p in last):
        turn += 1
        last, failed = turns.following(last, completions, engine, turn)
        completions.update(failed)
        said = f"{title}turn {turn}: "
        going = [p for p in last if p.request.key not in failed]
        completions.update(responses.collect(going, engine, work.cache, progress, said))
        found += last
    return found


def _in_order(
    planned: Sequence[responses.Planned], asked: Sequence[responses.Planned]
) -> list[responses.Planned]:
    """Each planned answer with its follow-ups behind it."""
    if len(asked) == len(planned):
        return list(planned)
    behind: dict[tuple[str, str, str, int], list[responses.Planned]] = {}
    for p in asked:
        if p.of is not None:
            key = (p.inputs.task.name, p.variant.name, p.whole.id, p.repeat)
            behind.setdefault(key, []).append(p)
    return [
        one
        for p in planned
        for one in (
            p,
            *behind.get((p.inputs.task.name, p.variant.name, p.sample.id, p.repeat), ()),
        )
    ]


def _scored(
    work: Work,
    planned: Sequence[responses.Planned],
    completions: Mapping[str, Completion],
    likely: likelihoods.Found,
    title: str,
) -> list[record.Answer]:
    found: list[record.Answer] = []
    by_task: dict[str, list[responses.Planned]] = {}
    for one in planned:
        by_task.setdefault(one.inputs.task.name, []).append(one)
    units = sum(
        len(mine) * len(judging.others(mine[0].inputs.scorers)) for mine in by_task.values()
    )
    work.session.progress.stage(f"{title}scoring", units)
    for mine in by_task.values():
        done = [completions[p.request.key] for p in mine]
        rows = scoring.score(
            judging.others(mine[0].inputs.scorers),
            [c.text for c in done],
            [_with_passages(p) for p in mine],
            work.cache,
            likelihoods.rows(mine, likely),
            work.session.progress,
        )
        found += [record.Answer(p, c, row) for p, c, row in zip(mine, done, rows, strict=True)]
    return found


def _judged(work: Work, done: Sequence[record.Answer], title: str) -> list[record.Answer]:
    """The answers with the judges' scores and verdicts, in the same order."""
    found = list(done)
    tasks: dict[str, list[int]] = {}
    for i, one in enumerate(done):
        tasks.setdefault(one.planned.inputs.task.name, []).append(i)
    for mine in tasks.values():
        for judge in judging.judges(done[mine[0]].planned.inputs.scorers):
            values, rows = judging.judge_all(
                work.session,
                judge,
                [done[i].planned for i in mine],
                [done[i].completion for i in mine],
                work.cache,
                title,
            )
            for i, value, verdicts in zip(mine, values, rows, strict=True):
                found[i] = replace(
                    found[i],
                    scores={**found[i].scores, judge.name: value},
                    judgments={**found[i].judgments, judge.name: tuple(verdicts)},
                )
    return found


def _with_passages(planned: responses.Planned) -> Sample:
    """The sample with what the variant was shown of the corpus: an answer may draw on it."""
    texts = [hit.text for hit in planned.conversation.retrieved]
    if not texts:
        return planned.sample
    return replace(planned.sample, metadata={RETRIEVED: texts, **planned.sample.metadata})


def as_run(
    work: Work, made: Plan, done: Sequence[record.Answer], tables: Tables, **found: Any
) -> Run:
    """The run of these answers, as it would be read from its folder.

    ``work.inputs`` hold the samples that were measured. ``found``: further keys of the manifest;
    one that is None is left out.
    """
    session = work.session
    asked: dict[str, list[str]] = {m.variant.name: [] for m in made.measured}
    for answer in done:
        asked[answer.planned.variant.name].append(answer.planned.request.key)
    measured = [
        replace(
            m,
            fingerprints={
                **m.fingerprints,
                "prompts_sha256": fingerprints.of(asked[m.variant.name]),
            },
        )
        for m in made.measured
    ]
    variants = [m.variant for m in measured]
    floor = noise.floor(done, session.again, work.cache)
    verdicts = judged.calibrations(work.inputs)
    judges = judged.about(session.bench, work.inputs, variants, done, verdicts)
    manifest = record.manifest(
        session.suite,
        work.inputs,
        measured,
        seed=session.settings.seed,
        limit=session.settings.limit,
        repeats=work.repeats,
        device=", ".join(dict.fromkeys(e.device for e in session.engines.values())),
        command=session.settings.command,
        timings=session.timings,
        warnings=[
            *cautions(session.suite, variants, work.inputs, done),
            *about_servers(made.measured),
            *noise.warnings(session.suite.rules, floor),
            *judged.warnings(judges),
        ],
    )
    for task, metrics in verdicts.items():
        for metric, verdict in metrics.items():
            told = {key: value for key, value in verdict.items() if key != "probes"}
            manifest["tasks"][task]["metrics"][metric]["calibration"] = told
    found = {"noise": floor, "judges": judges, **found}
    manifest |= {key: value for key, value in found.items() if value is not None}
    outputs, scores, judgments = tables
    return Run(None, manifest, outputs, scores, judgments=judgments)
