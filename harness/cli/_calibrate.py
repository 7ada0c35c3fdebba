"""Calibrating a judge: labels in, figures and the stored calibration out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import fingerprints
from harness.cli import _judge_files
from harness.cli._judge_files import Label
from harness.errors import DataError, UsageError, did_you_mean
from harness.judging import calibration, probes
from harness.judging.agreement import Pair, Rating, of_pairs, of_ratings
from harness.judging.panel import Judgment, Panel
from harness.judging.prompt import Case
from harness.judging.verdicts import own_order, scores
from harness.store.files import write_whole
from harness.types import Message

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
    cases = _cases(judge, found, run_folder)
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


# ---- labels to cases


def _cases(judge: Judge, labels: Sequence[Label], run_folder: Path | None) -> list[Case]:
    named = [label for label in labels if label.variants is not None]
    if named and run_folder is None:
        raise UsageError(
            f"{named[0].where}: the label names a variant's answer. Say of which run: --run FOLDER."
        )
    answers = _answers(run_folder) if named and run_folder is not None else _no_answer
    cases = []
    for i, label in enumerate(labels):
        question, texts, target = label.question, label.answers, label.target
        if label.variants is not None:
            found = [answers(label, variant) for variant in label.variants]
            question, target = found[0][0], found[0][2]
            texts = tuple(one[1] for one in found)
        if judge.loaded.shows_reference and target is None:
            raise DataError(f"{label.where}: the rubric shows a reference, and there is no target.")
        other = texts[1] if len(texts) > 1 else None
        cases.append(Case(str(i), question, texts[0], target, other))
    return cases


_Answers = Callable[[Label, str], tuple[str, str, str | None]]


def _no_answer(label: Label, variant: str) -> tuple[str, str, str | None]:
    raise AssertionError("no run")


def _answers(folder: Path) -> _Answers:
    """Label and variant to question, answer and target of the run. Raises DataError where the run
    has none."""
    from harness.pipeline.judging import question
    from harness.store.runs import read_run
    from harness.types import Sample, Task

    run = read_run(folder)
    columns = ["task", "sample_id", "variant", "input", "target", "output"]
    rows = run.outputs.select(columns).to_pylist()
    by_key = {(row["task"], row["sample_id"], row["variant"]): row for row in rows}
    samples = {(row["task"], row["sample_id"]) for row in rows}
    variants = sorted({row["variant"] for row in rows})

    def row_of(label: Label, variant: str) -> dict[str, Any]:
        task = _task_of(label, list(run.manifest["tasks"]), samples)
        if (task, label.sample) not in samples:
            raise DataError(
                f"{label.where}: the run {folder} has no sample '{label.sample}' in task '{task}'."
            )
        row = by_key.get((task, label.sample, variant))
        if row is None:
            raise DataError(
                f"{label.where}: the run {folder} has no answer of variant '{variant}' to "
                f"'{label.sample}'.{did_you_mean(variant, variants)}"
            )
        if row["output"] is None:
            raise DataError(f"{label.where}: '{variant}' gave no answer to '{label.sample}'.")
        return dict(row)

    def answer(label: Label, variant: str) -> tuple[str, str, str | None]:
        row = row_of(label, variant)
        about = run.manifest["tasks"][row["task"]]
        prompt = about.get("prompt") or "{input}"
        asked = Task(row["task"], _NO_DATA, ["exact_match"], about.get("system"), prompt)
        targets = json.loads(row["target"] or "[]")
        sample = Sample(label.sample, _input(row["input"] or ""))
        return question(asked, sample), _said(row, by_key), next(iter(targets), None)

    return answer


def _task_of(label: Label, tasks: Sequence[str], samples: Set[tuple[str, str]]) -> str:
    if label.task is not None:
        return label.task
    having = [name for name in tasks if (name, label.sample) in samples] or list(tasks)
    if len(having) > 1:
        raise DataError(
            f"{label.where}: say which 'task' the sample '{label.sample}' is of: "
            f"{', '.join(having)}."
        )
    return having[0]


def _said(row: Mapping[str, Any], by_key: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> str:
    """What is judged, as in a run: of a follow-up (``<id>@k``) the variant's whole conversation."""
    from harness.pipeline.judging import flat

    found = re.fullmatch(r"(?P<id>.+)@(?P<turn>[0-9]+)(?P<repeat>#[0-9]+)?", row["sample_id"])
    first = found and by_key.get(
        (row["task"], f"{found['id']}{found['repeat'] or ''}", row["variant"])
    )
    users = _input(row["input"] or "")
    if not found or not first or isinstance(users, str):
        return str(row["output"])
    turns: list[Message] = []
    for k in range(1, int(found["turn"])):
        name = found["id"] + (f"@{k}" if k > 1 else "") + (found["repeat"] or "")
        before = by_key[row["task"], name, row["variant"]]
        turns.append(Message(role="assistant", content=before["output"] or ""))
        turns.append(users[k - int(found["turn"])])
    return flat([*turns, Message(role="assistant", content=row["output"])])


def _NO_DATA(seed: int) -> Any:
    raise AssertionError("only the task's prompt is looked at")


def _input(text: str) -> Any:
    """Chat messages where the column holds them."""
    try:
        found = json.loads(text) if text.startswith('[{"') else None
    except ValueError:
        found = None
    roles = isinstance(found, list) and all(isinstance(m, dict) and "role" in m for m in found)
    return tuple(found) if roles and isinstance(found, list) else text


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


# ---- what is shown


def echo_json(found: Mapping[str, Any]) -> None:
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def print_figures(by_judge: Mapping[str, Mapping[str, Any]]) -> None:
    """A line a figure, a column a judge."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Agreement with people (intervals: 90%)", title_justify="left")
    table.add_column("")
    for judge in by_judge:
        table.add_column(judge, justify="right")
    names = list(dict.fromkeys(key for figures in by_judge.values() for key in figures))
    for name in names:
        if not name.endswith("_ci") and name != "ci_level":
            table.add_row(
                name.replace("_", " "),
                *(
                    _number(figures.get(name), figures.get(f"{name}_ci"))
                    for figures in by_judge.values()
                ),
            )
    Console().print(table)


def _number(value: Any, bounds: Any) -> str:
    if value is None:
        return "not known"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"{text} ({bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else text


def print_probes(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Attempts to fool the judge", title_justify="left")
    for name in ("attempt", "fooled", "asked", "unparseable"):
        table.add_column(name, justify="left" if name == "attempt" else "right")
    for row in rows:
        fooled, asked = str(row["fooled"]), str(row["asked"])
        table.add_row(row["probe"].replace("_", " "), fooled, asked, str(row["unparseable"]))
    Console().print(table)


def print_made(made: Made) -> None:
    if made.document["probes"] is not None:
        print_probes(made.document["probes"])
    click.echo(f"verdicts     {made.fresh} asked for, {made.cached} known from before")
    click.echo(f"calibration  {made.file}")
    if made.verdict["valid"]:
        click.echo(f"The judge may gate: floor {made.verdict['floor']:g} is reached.")
    else:
        click.echo(
            f"The judge may not gate: {made.verdict['reason']}. Its rules are INVALID unless they "
            "say advisory = true."
        )
