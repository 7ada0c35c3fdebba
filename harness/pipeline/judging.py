"""Judges of a run: asked about every answer once all answers to compare are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.data.prompts import messages
from harness.errors import SuiteError
from harness.judging import calibration
from harness.judging.panel import Judgment, Keep, Panel
from harness.judging.prompt import Case
from harness.judging.verdicts import TIE, own_order, scores
from harness.pipeline.storing import Storing
from harness.scorers.judge import Judge
from harness.store.cache import Cache
from harness.types import Completion, Message, Sample, Score, Scorer, Task, Variant

if TYPE_CHECKING:
    from harness.pipeline.inputs import Inputs
    from harness.pipeline.responses import Planned
    from harness.pipeline.session import Session

NO_ANSWER = "there is no prediction"
NO_OTHER = "'{versus}' has no answer to compare with"
_BARE = Variant("bare", "none")


@dataclass
class Bench:
    """The panels of one run; each is opened once, so that caps and counts are the run's."""

    panels: dict[tuple[str, str], tuple[Judge, Panel]] = field(default_factory=dict)
    """By metric, and hash of judge, rubric, prompt and what it is compared with."""

    def panel(self, judge: Judge) -> Panel:
        key = (judge.name, f"{judge.bond.sha256} {judge.versus}")
        if key not in self.panels:
            self.panels[key] = (judge, judge.panel())
        return self.panels[key][1]

    def close(self) -> None:
        for _, panel in self.panels.values():
            panel.close()


class Kept:
    """Implements ``judging.panel.Memory`` over the run's cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def known(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return self._cache.get_many("responses", keys)

    @contextmanager
    def keeping(self) -> Iterator[Keep]:
        with Storing(self._cache) as storing:
            yield storing


def judges(scorers: Sequence[Scorer]) -> list[Judge]:
    return [scorer for scorer in scorers if isinstance(scorer, Judge)]


def others(scorers: Sequence[Scorer]) -> list[Scorer]:
    """All but the judges."""
    return [scorer for scorer in scorers if not isinstance(scorer, Judge)]


def greet(session: Session, inputs: Sequence[Inputs], variants: Sequence[Variant]) -> None:
    """What can be known before the first answer: raises SuiteError where the variant to compare
    with is not in the run, UsageError for a calibration that cannot be read, ServerError where a
    judge cannot be asked."""
    names = [variant.name for variant in variants]
    for one in inputs:
        for judge in judges(one.scorers):
            if judge.versus is not None and judge.versus not in names:
                raise SuiteError(
                    f"Task '{one.task.name}': {judge.name} compares with '{judge.versus}', which "
                    f"this run does not measure (it measures {', '.join(names)})."
                )
            calibration.read(judge.calibration_file)
            session.bench.panel(judge)
    for judge, panel in session.bench.panels.values():
        session.progress.say(f"asking the judge{'s' * (len(judge.models) > 1)} of {judge.name}")
        panel.greet()


def judge_all(
    session: Session,
    judge: Judge,
    planned: Sequence[Planned],
    completions: Sequence[Completion],
    cache: Cache,
    title: str = "",
) -> tuple[list[Score], list[list[dict[str, Any]]]]:
    """For each answer of one task its value and the single verdicts, as rows of judgments.parquet
    without the keys of the answer. Raises ServerError as ``Panel.ask``."""
    panel = session.bench.panel(judge)
    cases, known = _cases(judge, planned, completions)
    each = len(judge.models) * judge.repeats * (2 if judge.versus else 1)
    session.progress.stage(f"{title}{judge.name}", len(cases) * each)
    made = panel.ask(cases, Kept(cache), session.progress.advance)
    by_case: dict[str, list[Judgment]] = {}
    for one in made:
        by_case.setdefault(one.case, []).append(one)
    known |= {int(key): score for key, score in scores(made, judge.loaded.kind).items()}
    rows = [[_row(one) for one in by_case.get(str(i), ())] for i in range(len(planned))]
    return [known[i] for i in range(len(planned))], rows


def _cases(
    judge: Judge, planned: Sequence[Planned], completions: Sequence[Completion]
) -> tuple[list[Case], dict[int, Score]]:
    """What to ask, by the number of the answer; and the values that need no asking."""
    theirs = {
        (p.sample.id, p.repeat): None if c.text is None else said(p, c.text)
        for p, c in zip(planned, completions, strict=True)
        if p.variant.name == judge.versus
    }
    cases, known = [], {}
    for i, (p, c) in enumerate(zip(planned, completions, strict=True)):
        other = theirs.get((p.sample.id, p.repeat)) if judge.versus else None
        reference = next(iter(p.sample.targets), None)
        if c.text is None:
            known[i] = Score.unscored(NO_ANSWER)
        elif judge.needs_target and reference is None:
            known[i] = Score.unscored("the sample has no target")
        elif judge.versus == p.variant.name:
            known[i] = Score(TIE)
        elif judge.versus is not None and other is None:
            known[i] = Score.unscored(NO_OTHER.format(versus=judge.versus))
        else:
            asked = question(p.inputs.task, p.sample)
            cases.append(Case(str(i), asked, said(p, c.text), reference, other))
    return cases, known


def question(task: Task, sample: Sample) -> str:
    """What every variant was asked, as a judge is shown it: without shots and passages, which
    differ by variant."""
    return flat(messages(task, _BARE, sample))


def said(planned: Planned, answer: str) -> str:
    """What is judged: the answer; of a follow-up the conversation from the first answer on, as the
    last answer is one to what the variant itself said before."""
    if planned.of is None:
        return answer
    follow_ups = len(planned.sample.input) - _first_turns(planned.of)
    # An answer and a question for each of them, at the end of what was sent.
    turns = planned.conversation.messages[-2 * follow_ups :]
    return flat([*turns, Message(role="assistant", content=answer)])


def _first_turns(sample: Sample) -> int:
    return 1 if isinstance(sample.input, str) else len(sample.input)


def flat(turns: Sequence[Message]) -> str:
    """A conversation as text: a single user turn as it is, else a heading before each turn."""
    if len(turns) == 1:
        return turns[0]["content"]
    return "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in turns)


def _row(one: Judgment) -> dict[str, Any]:
    score = None if one.read is None else one.read.score
    return {
        "judge": one.judge,
        "repeat": one.repeat,
        "order": one.order,
        "value": None if score is None else float(score),
        "verdict": own_order(one),
        "rationale": None if one.read is None else one.read.rationale,
        "raw": one.raw,
        "reason": one.reason,
    }
