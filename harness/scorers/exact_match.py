"""Exact match: is the answer the target, character for character?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.scorers._targets import BEST, best_of_targets
from harness.scorers._text import without_articles, without_punctuation
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class ExactMatch:
    """``exact_match``: 1 where prediction and target are equal after white space at both ends is
    stripped, else 0. Several targets: one match suffices.

    With case, punctuation and articles ignored, it is the exact match of SQuAD v1.1.
    """

    ignore_case: bool = False
    ignore_punctuation: bool = False
    """Of ASCII, as in SQuAD."""
    ignore_articles: bool = False
    """English: a, an, the."""
    ignore_white_space: bool = False
    """A run of it inside the text is one space; so always where punctuation or articles are
    ignored."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        options = {
            "case ignored": self.ignore_case,
            "ASCII punctuation ignored": self.ignore_punctuation,
            "the articles a, an, the ignored": self.ignore_articles,
        }
        said = [text for text, on in options.items() if on]
        if self._one_space:
            said.append("runs of white space are one space")
        if not self.ignore_case:
            said.insert(0, "case kept")
        definition = (
            "1 if prediction and target are equal, white space at the ends stripped, "
            f"{', '.join(said)}; {BEST}"
        )
        return (Metric("exact_match", definition, binary=True, version="harness.exact_match==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction; unscored where the sample has no target."""
        return best_of_targets(["exact_match"], predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        return {"exact_match": Score(float(self._normal(prediction) == self._normal(target)))}

    def _normal(self, text: str) -> str:
        if self.ignore_case:
            text = text.lower()
        if self.ignore_punctuation:
            text = without_punctuation(text)
        if self.ignore_articles:
            text = without_articles(text)
        return " ".join(text.split()) if self._one_space else text.strip()

    @property
    def _one_space(self) -> bool:
        # What was taken out leaves spaces behind that the other side may not have.
        return self.ignore_white_space or self.ignore_punctuation or self.ignore_articles
