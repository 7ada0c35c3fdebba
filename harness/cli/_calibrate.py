"""Calibrating a judge: labels in, figures and the stored calibration out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import fingerprints
from harness.cli import _judge_files, _labelled
from harness.cli._judge_files import Label
from harness.errors import UsageError, did_you_mean
from harness.judging import calibration, probes
from harness.judging.agreement import Pair, Rating, of_pairs, of_ratings
from harness.judging.panel import Judgment, Panel
from harness.judging.prompt import Case
from harness.judging.verdicts import own_order, scores
from harness.store.files import write_whole

if TYPE_CHECKING:
    from harness.scorers.judge import Judge


@dataclass(frozen=True)
class Made:
    """A calibration, where it lies, and whether it lets the judge gate."""

    document: dict[str, Any]
    by_judge: dict[str, Any]
    file: Path
    verdict: dict[str, Any]
    fresh: int
    cached: int


def recorded(file: Path) -> dict[str, Any]:
    """Judge -> figures of its recorded verdicts."""
    return {judge: of_pairs(rows) for judge, rows in _judge_files.judgments(file).items()}


def live(
    suite: Path,
    labels: Path,
    run_folder: Path | None,
    metric: str | None,
    out: Path | None,
    *,
    probe: bool,
) -> Made:
    """Ask the judge about every labelled answer, and write its calibration."""
    judge = judge_of(suite, metric)
    kind = judge.loaded.kind
    found = _judge_files.labels(labels, kind)
    cases = _labelled.cases(judge, found, run_folder)
    judgments, outcomes, panel = _asked(judge, cases, probe=probe)
    figure = _pair_figures if kind == "pairwise" else _rating_figures
    names = [model.title for model in judge.models]
    by_judge = {
        name: figure(found, cases, [j for j in judgments if j.judge == name]) for name in names
    }
    made = calibration.document(
        judge.bond,
        figure(found, cases, judgments),
        by_judge=by_judge,
        probes=outcomes,
        labels_sha256=fingerprints.of_file(labels),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    file = out or judge.calibration_file
    text = json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(file, text.encode("utf-8", "backslashreplace"), parents=True)
    verdict = calibration.verdict(made, judge.bond, judge.floor)
    return Made(made, by_judge, file, verdict, panel.spent.fresh, panel.spent.cached)


def probed(suite: Path, metric: str | None) -> list[dict[str, Any]]:
    """The probe table of the suite's judge."""
    _, outcomes, _ = _asked(judge_of(suite, metric), [], probe=True)
    return outcomes or []


def judge_of(suite: Path, metric: str | None) -> Judge:
    """The judge of that metric, or the only one. Raises UsageError where it is not clear which."""
    from harness import scorers
    from harness.scorers.judge import Judge
    from harness.suites import load_suite

    loaded = load_suite(suite, check_scorer=scorers.resolve)
    judges = [one for task in loaded.tasks for one in task.scorers if isinstance(one, Judge)]
    found: dict[str, dict[str, Judge]] = {}
    for judge in judges:
        found.setdefault(judge.name, {})[judge.bond.sha256] = judge
    if not found:
        raise UsageError(f"The suite '{loaded.name}' has no judge among its scorers.")
    if metric is None and len(found) > 1:
        raise UsageError(
            f"The suite '{loaded.name}' has several judges. Choose one with --metric: "
            f"{', '.join(sorted(found))}."
        )
    name = metric or next(iter(found))
    if name not in found:
        raise UsageError(f"No judge gives the metric '{name}'.{did_you_mean(name, found)}")
    if len(found[name]) > 1:
        raise UsageError(
            f"Tasks of the suite '{loaded.name}' have different judges of the one metric '{name}'. "
            "Give their rubrics different names."
        )
    return next(iter(found[name].values()))


def _asked(
    judge: Judge, cases: Sequence[Case], *, probe: bool
) -> tuple[list[Judgment], list[dict[str, Any]] | None, Panel]:
    from harness import sources
    from harness.cli._progress import Terminal
    from harness.pipeline.judging import Kept
    from harness.store.cache import NAME, Cache

    panel = judge.panel()
    each = len(judge.models) * judge.repeats * (2 if judge.loaded.kind == "pairwise" else 1)
    outcomes = None
    try:
        panel.greet()
        with Terminal() as progress, Cache.open(sources.cache_dir() / NAME) as cache:
            memory = Kept(cache)
            progress.stage(judge.name, len(cases) * each)
            judgments = panel.ask(cases, memory, progress.advance)
            if probe:
                progress.stage("probes", probes.calls(panel))
                outcomes = [row.as_dict() for row in probes.probe(panel, memory, progress.advance)]
    finally:
        panel.close()
    _refuse_failures(judgments)
    return judgments, outcomes, panel


def _refuse_failures(judgments: Sequence[Judgment]) -> None:
    """An unparseable verdict is the judge's; one that never came tells nothing of it."""
    lost = [one for one in judgments if one.read is None and one.raw is None]
    if lost:
        raise UsageError(
            f"{len(lost)} of {len(judgments)} verdicts never came (first: {lost[0].reason}). Those "
            "that did are kept: run the same command again for the rest."
        )


# ---- figures


def _pair_figures(
    labels: Sequence[Label], cases: Sequence[Case], judgments: Sequence[Judgment]
) -> dict[str, Any]:
    values = scores(judgments, "pairwise")
    orders: dict[tuple[str, str], str | None] = {}
    for one in judgments:
        # Of several repeats and judges the first: the table is of single verdicts.
        orders.setdefault((one.case, str(one.order)), own_order(one))
    rows = []
    for label, case in zip(labels, cases, strict=True):
        value = values[case.key].value
        panel = None if value is None else "1" if value > 0.5 else "2" if value < 0.5 else "tie"
        first, second = len(case.answer), len(case.other or "")
        rows.append(
            Pair(
                subject=f"{label.task}/{label.sample}",
                human=label.human,
                forward=orders[case.key, "forward"],
                swapped=orders[case.key, "swapped"],
                longer=None if first == second else "1" if first > second else "2",
                panel=panel,
            )
        )
    return of_pairs(rows)


def _rating_figures(
    labels: Sequence[Label], cases: Sequence[Case], judgments: Sequence[Judgment]
) -> dict[str, Any]:
    values = scores(judgments, "pointwise")
    return of_ratings(
        [
            Rating(
                f"{label.task}/{label.sample}",
                label.human,
                values[case.key].value,
                len(case.answer),
            )
            for label, case in zip(labels, cases, strict=True)
        ]
    )
