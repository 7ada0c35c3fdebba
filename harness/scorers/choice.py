"""Choice: does the answer name the right one of some labels?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from harness.errors import SuiteError
from harness.scorers._labels import Labels
from harness.scorers._targets import BEST, best_of_targets
from harness.types import Metric, Sample, Score

LETTERS = ("A", "B", "C", "D")
Unextracted = Literal["unscored", "wrong"]


@dataclass(frozen=True)
class Choice:
    """``choice``: 1 where the label that the prediction names is the target, else 0.

    What a model thinks aloud up to the last ``</think>`` is left out. The label is, in this order,
    what the whole output is (marks around it left out), what it declares ("the answer is B",
    "Answer: B", "\\boxed{B}"; English) or has as its last line, the only label that stands in it
    as a whole word. Case does not matter, but a single letter in running text must have its own,
    unless it is in brackets or begins a list's item ("(b)", "b) Paris"), and so must words such as
    IT and US: "a cat" names no label A. Of labels one of which is part of the other, the longer
    counts; hyphens, underscores and spaces between words are the same.

    In doubt it is none. Not taken for a label: one in a question, or after a word that denies or
    doubts it in the same clause (not, no, if, whether, unlikely, wrong ...; some words of other
    languages), one that is said to be wrong, a part of a word joined by a hyphen or a slash (N/A),
    and "a", "I" and "no" before a further word. A declaration does not count where its clause has
    a word such as least, second or students either. No label has an output whose declarations
    differ, that turns to another label after one ("but", "actually") or takes it back ("wait"),
    that both names and denies the same label, or where a capital A may be the label or the article
    ("A Vitamin C"). ``_labels.py`` has the lists.

    An output that names no label or several is unscored, so that no gate passes on a guess; an
    empty one is 0. Raises SuiteError for labels that cannot be told apart.
    """

    labels: Sequence[str] | None = None
    """At least two; None: A, B, C and D."""
    unextracted: Unextracted = "unscored"
    """``wrong``: an output that names no label or several scores 0, with a remark."""

    def __post_init__(self) -> None:
        labels = LETTERS if self.labels is None else self.labels
        is_list = isinstance(labels, Sequence) and not isinstance(labels, str)
        if not is_list or not all(isinstance(label, str) for label in labels):
            raise SuiteError(f"Choice: labels must be a list of strings, got {labels!r}.")
        if self.unextracted not in get_args(Unextracted):
            raise SuiteError(
                f"Choice: unextracted must be 'unscored' or 'wrong', got {self.unextracted!r}."
            )
        object.__setattr__(self, "labels", tuple(labels))
        try:
            _ = self._labels
        except ValueError as error:
            raise SuiteError(f"Choice: of the labels {list(labels)}, {error}.") from error

    @property
    def metrics(self) -> tuple[Metric, ...]:
        otherwise = {"unscored": "unscored", "wrong": "0"}[self.unextracted]
        definition = (
            f"1 if the label that the output names is the target, else 0; labels "
            f"{list(self.labels or ())}; text up to the last '</think>' left out; it is the whole "
            "output but for marks around it, else what 'answer is', 'answer:' or '\\boxed{}' or a "
            "last line says, else the only one that stands as a whole word; none that is denied or "
            "doubted in its clause or taken back; case ignored but for single letters and words "
            "such as it and us in running text; an output that names none or several is "
            f"{otherwise}, an empty one 0; {BEST}"
        )
        return (Metric("choice", definition, binary=True, version="harness.choice==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction. Unscored: a sample without targets, or with one that is
        none of the labels, and (unless ``unextracted`` is ``wrong``) an output that does not name
        exactly one."""
        return best_of_targets(["choice"], predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        return {"choice": self._one(prediction, target)}

    def _one(self, prediction: str, target: str) -> Score:
        wanted = self._labels.of(target)
        if wanted is None:
            return Score.unscored(f"a target is none of the labels {list(self.labels or ())}")
        if not prediction.strip():
            return Score(0.0)
        label, why = self._labels.read(prediction)
        if label is None:
            return Score(0.0, why) if self.unextracted == "wrong" else Score.unscored(why)
        return Score(float(label == wanted))

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self.labels or ())
