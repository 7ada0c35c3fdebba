"""Human labels and the answers they are of: what a judge is asked to be held against them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli._judge_files import Label
from harness.errors import DataError, UsageError, did_you_mean
from harness.judging.prompt import Case
from harness.types import Message

if TYPE_CHECKING:
    from harness.scorers.judge import Judge


def cases(judge: Judge, labels: Sequence[Label], run_folder: Path | None) -> list[Case]:
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
    from harness.types import Data, Sample, Task

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
        asked = Task(row["task"], Data(()), ["exact_match"], about.get("system"), prompt)
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


def _input(text: str) -> Any:
    """Chat messages where the column holds them."""
    try:
        found = json.loads(text) if text.startswith('[{"') else None
    except ValueError:
        found = None
    roles = isinstance(found, list) and all(isinstance(m, dict) and "role" in m for m in found)
    return tuple(found) if roles and isinstance(found, list) else text
