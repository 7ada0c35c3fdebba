"""What a reader of the run must know beside its numbers: the ``warnings`` of run.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.pipeline.inputs import Inputs, searchers
from harness.pipeline.record import Answer, Measured
from harness.types import Suite, Variant


def cautions(
    suite: Suite,
    variants: Sequence[Variant],
    inputs: Sequence[Inputs],
    answers: Sequence[Answer],
) -> list[str]:
    """One sentence for each thing that is not what it seems: variants left out, tasks without a
    corpus, answers that failed or met the token limit, answers that a scorer could not score, one
    answer to everything."""
    return [*_left_out(suite, variants), *_no_corpus(variants, inputs), *_about(answers)]


def about_servers(measured: Sequence[Measured]) -> list[str]:
    """A sentence for each served adapter whose server does not keep it apart from the base."""
    found = []
    for one in measured:
        seen = ((one.proof or {}).get("canary") or {}).get("mixed_up_when_asked_together")
        if seen:
            found.append(
                f"{one.variant.name}: asked for the base and for the adapter at the same time, the "
                f"server gave {seen} answers of the one for the other. The run asks for one after "
                "the other; whoever else uses the server meanwhile may still have changed its "
                "answers, and in production such a server would mix them (docs/servers.md)."
            )
    return found


def _left_out(suite: Suite, variants: Sequence[Variant]) -> Iterator[str]:
    measured = {v.name for v in variants}
    names = [v.name for v in suite.variants if v.name not in measured]
    if names:
        yield f"Variants of the suite that were not measured: {', '.join(names)}."


def _no_corpus(variants: Sequence[Variant], inputs: Sequence[Inputs]) -> Iterator[str]:
    names = searchers(variants)
    for one in inputs:
        if names and not one.data.corpus:
            yield (
                f"{one.task.name}: the task has no corpus, so the retriever of "
                f"{', '.join(names)} had nothing to search there."
            )


def _about(answers: Sequence[Answer]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        key = (answer.planned.inputs.task.name, answer.planned.variant.name)
        groups.setdefault(key, []).append(answer)
    for (task, variant), rows in groups.items():
        if _says_one_thing(rows):
            text = str(rows[0].completion.text)
            shown = text if len(text) <= 60 else f"{text[:60]}…"
            yield (
                f"{task}: all {len(rows)} answers of {variant} are the same ({shown!r}) while the "
                "targets differ: whatever it scores, it does not read the input."
            )
    # One sentence for all variants with the same trouble: a wall of warnings is not read.
    counts: dict[tuple[str, str], list[str]] = {}
    for (task, variant), rows in groups.items():
        for what, reasons in _found(rows):
            if reasons:
                why = f" ({_main(reasons)})" if any(reasons) else ""
                count = f"{variant} {len(reasons)} of {len(rows)}"
                counts.setdefault((task, what + why), []).append(count)
    for (task, what), found in counts.items():
        yield f"{task}: answers {what}: {', '.join(found)}."


def _says_one_thing(rows: Sequence[Answer]) -> bool:
    """One answer to questions that want several: it can score well where one target is common."""
    answers = {r.completion.text for r in rows}
    targets = {r.planned.sample.targets for r in rows}
    return len(answers) == 1 and None not in answers and len(targets) > 1


def _found(rows: Sequence[Answer]) -> Iterator[tuple[str, list[str]]]:
    """What is amiss, and the reason of every answer that it concerns."""
    yield "failed", [r.completion.error for r in rows if r.completion.error is not None]
    cut = [r for r in rows if r.completion.finish_reason == "length"]
    yield "reached max_new_tokens and may be cut", [""] * len(cut)
    for metric in dict.fromkeys(name for row in rows for name in row.scores):
        # A failed answer is told above, and has no score by any scorer.
        scores = [r.scores[metric] for r in rows if r.completion.error is None]
        reasons = [s.reason or "" for s in scores if s.value is None]
        yield f"are unscored by {metric}", reasons


def _main(reasons: Sequence[str]) -> str:
    """The commonest reason, and whether there are others."""
    kinds = sorted(set(reasons), key=lambda r: (-reasons.count(r), r))
    return kinds[0] + ("; and others" if len(kinds) > 1 else "")
