"""Token F1 as SQuAD has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.scorers._targets import BEST, best_of_targets
from harness.scorers._text import multiset_f1, squad_tokens
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class F1:
    """``f1``: overlap of the words of prediction and target, as multisets.

    Rajpurkar et al. 2016 (SQuAD), ``evaluate-v1.1.py``; two texts without a word score 1, as in
    ``evaluate-v2.0.py``. Words are split at white space, so it says little about languages
    written without it.
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        definition = (
            "SQuAD v1.1 F1: lower case, ASCII punctuation and the articles a, an, the removed, "
            "split at white space; F1 of the multisets of words, 1 if both are empty and 0 if "
            f"one is; {BEST}"
        )
        return (Metric("f1", definition, version="harness.f1==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """A value in [0, 1] for each prediction; unscored where the sample has no target."""
        return best_of_targets(["f1"], predictions, samples, _pair)


def _pair(prediction: str, target: str) -> dict[str, Score]:
    return {"f1": Score(multiset_f1(squad_tokens(prediction), squad_tokens(target)))}
