"""Includes: does the target occur in the answer?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.scorers._targets import BEST, best_of_targets
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class Includes:
    """``includes``: 1 where the prediction has the target in it, character for character, else 0.
    Several targets: one suffices.

    It looks at nothing else: "Paris" is in "Not Paris", "cat" is in "concatenate", and an answer
    that lists every possibility has the right one among them.
    """

    ignore_case: bool = False
    """Both sides are case-folded as Unicode has it (ß is ss)."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        case = "case ignored (Unicode case folding)" if self.ignore_case else "case kept"
        definition = (
            "1 if the target, white space at its ends stripped, is a substring of the prediction, "
            f"inside a word as well, {case}; else 0; {BEST}"
        )
        return (Metric("includes", definition, binary=True, version="harness.includes==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction. Unscored: a sample without targets, or with an empty
        one."""
        return best_of_targets(["includes"], predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        target = target.strip()
        if not target:
            return {"includes": Score.unscored("a target is empty, and so is in every text")}
        if self.ignore_case:
            prediction, target = prediction.casefold(), target.casefold()
        return {"includes": Score(float(target in prediction))}
