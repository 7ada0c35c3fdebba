"""LLM-as-judge: a model rates answers by a rubric, or prefers one of two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import SuiteError
from harness.judging import calibration
from harness.judging import rubric as rubrics
from harness.judging.calibration import FLOOR, Bond
from harness.judging.models import JudgeModel
from harness.judging.panel import Caps, Panel
from harness.judging.prompt import Case
from harness.judging.rubric import HIGH, LOW, Rubric
from harness.judging.verdicts import scores
from harness.types import Metric, Sample, Score

CALIBRATIONS = "calibrations"
"""Folder beside ``suite.py`` where a calibration lies that is not named."""


@dataclass(frozen=True)
class Judge:
    """``judge_<rubric>``: pointwise 1 to 5, pairwise 1 (win), 0.5 (tie) or 0 (loss) against the
    variant ``versus``, each pair shown in both orders (Zheng et al. 2023, arXiv 2306.05685).

    ``rubric``: the name of a built-in one, a text file (relative to the suite's folder), or a
    ``Rubric``. ``judges``: one model or several, each asked ``repeats`` times; their mean counts
    (a panel: Verga et al. 2024, arXiv 2404.18796). ``calibration``: the file that ``harness judge
    calibrate`` writes, by default ``calibrations/judge_<rubric>.json`` beside the suite; a rule on
    the metric gates only where the lower bound of weighted kappa in it reaches ``floor``.
    ``max_total_tokens``, ``max_cost``: caps on what one run's fresh calls may take; what is left is
    unscored then. Raises SuiteError for what cannot be right.
    """

    rubric: Rubric | str = ""
    judges: JudgeModel | Sequence[JudgeModel] = ()
    versus: str | None = None
    repeats: int = 1
    calibration: str | None = None
    floor: float = FLOOR
    max_total_tokens: int | None = None
    max_cost: float | None = None
    folder: Path | None = None
    """Where relative paths start; ``load_suite`` sets it."""

    def __post_init__(self) -> None:
        if not self.rubric or not self.judges:
            raise SuiteError(
                "Judge needs a rubric and a model: Judge('helpfulness', "
                "JudgeModel('MODEL', 'http://localhost:8000/v1'))."
            )
        judges = (self.judges,) if isinstance(self.judges, JudgeModel) else tuple(self.judges)
        object.__setattr__(self, "judges", judges)
        if not (isinstance(self.rubric, str) and rubrics.names_a_file(self.rubric)):
            object.__setattr__(self, "rubric", rubrics.load(self.rubric))
            self._check_kind()
        self._check(judges)

    def _check(self, judges: tuple[Any, ...]) -> None:
        for judge in judges:
            if not isinstance(judge, JudgeModel):
                raise SuiteError(f"Judge: judges must be JudgeModel objects, got {judge!r:.80}.")
        titles = [judge.title for judge in judges]
        twice = sorted({title for title in titles if titles.count(title) > 1})
        if twice:
            raise SuiteError(f"Judge: two judges are named '{twice[0]}'. Give each a name.")
        if type(self.repeats) is not int or self.repeats < 1:
            raise SuiteError(f"Judge: repeats must be a whole number from 1, got {self.repeats!r}.")
        greedy = [judge.title for judge in judges if judge.temperature == 0]
        if self.repeats > 1 and greedy:
            raise SuiteError(
                f"Judge: repeats = {self.repeats} asks '{greedy[0]}' the same greedy question "
                "again. Give it a temperature above 0, or take one repeat."
            )
        if self.max_cost is not None and any(j.cost_per_1k_tokens is None for j in judges):
            raise SuiteError("Judge: max_cost needs cost_per_1k_tokens of every judge.")
        for key in ("floor", "max_total_tokens", "max_cost"):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not value > 0):
                raise SuiteError(f"Judge: {key} must be above 0, got {value!r}.")

    def _check_kind(self) -> None:
        assert isinstance(self.rubric, Rubric)
        if self.rubric.kind == "pairwise" and not self.versus:
            raise SuiteError(
                f"Judge: the rubric '{self.rubric.name}' compares two answers. Name the variant to "
                "compare with: versus = '…'."
            )
        if self.rubric.kind == "pointwise" and self.versus:
            raise SuiteError(
                f"Judge: the rubric '{self.rubric.name}' rates one answer, so versus has no "
                "effect. Remove it, or take a pairwise rubric such as 'preference'."
            )

    def in_folder(self, folder: Path) -> Judge:
        """The judge with its rubric read; relative paths start at ``folder``."""
        return replace(self, rubric=rubrics.load(self.rubric, folder), folder=folder)

    # ---- what it is

    @property
    def loaded(self) -> Rubric:
        return rubrics.load(self.rubric, self.folder)

    @property
    def models(self) -> tuple[JudgeModel, ...]:
        assert isinstance(self.judges, tuple)
        return self.judges

    @property
    def name(self) -> str:
        return f"judge_{self.loaded.name}"

    @property
    def needs_target(self) -> bool:
        return self.loaded.shows_reference

    @property
    def bond(self) -> Bond:
        return Bond(self.models, self.loaded, self.repeats)

    @property
    def calibration_file(self) -> Path:
        named = self.calibration or f"{CALIBRATIONS}/{self.name}.json"
        return (self.folder or Path()) / named

    @property
    def may_gate(self) -> bool:
        """Whether there is a calibration of this judge that reaches the floor; else rules on its
        metric are INVALID unless they are advisory. Raises UsageError for a damaged one."""
        found = calibration.verdict(calibration.read(self.calibration_file), self.bond, self.floor)
        return bool(found["valid"])

    @property
    def metrics(self) -> tuple[Metric, ...]:
        rubric, bond = self.loaded, self.bond
        names = ", ".join(judge.title for judge in self.models)
        # All of the judge, so that a stored run by another one does not pass for this one's.
        by = f"by {names}, rubric '{rubric.name}' (judge and rubric: sha256 {bond.sha256[:12]})"
        version = f"harness.judge==1, {bond.sha256[:16]}"
        if rubric.kind == "pointwise":
            definition = f"Mean rating of 1 to 5 {by}"
            return (Metric(self.name, definition, low=LOW, high=HIGH, version=version),)
        definition = (
            f"1 if preferred to the answer of '{self.versus}' in both orders {by}, 0 if that one "
            f"is, else 0.5; '{self.versus}' itself has 0.5"
        )
        return (Metric(self.name, definition, version=version),)

    def panel(self) -> Panel:
        """Ready to ask; the caller closes it."""
        return Panel(
            self.models, self.loaded, self.repeats, Caps(self.max_total_tokens, self.max_cost)
        )

    # ---- without a run

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Ratings of predictions that come from no run; nothing is kept. A pairwise judge has
        nothing to compare with and leaves every row unscored. Raises ServerError."""
        rubric = self.loaded
        if rubric.kind == "pairwise":
            why = f"the answers of '{self.versus}' are known in a run only: harness run"
            return [{self.name: Score.unscored(why)} for _ in predictions]
        cases = [
            Case(str(i), sample.text, prediction, next(iter(sample.targets), None))
            for i, (prediction, sample) in enumerate(zip(predictions, samples, strict=True))
        ]
        panel = self.panel()
        try:
            panel.greet()
            found = scores(panel.ask(cases, _Nothing()), rubric.kind)
        finally:
            panel.close()
        return [{self.name: found[case.key]} for case in cases]


class _Nothing:
    """Implements ``judging.panel.Memory``: nothing is known, and nothing kept."""

    def known(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {}

    @contextmanager
    def keeping(self) -> Iterator[_Nothing]:
        yield self

    def add(self, key: str, value: Mapping[str, Any]) -> None:
        pass
