"""ROUGE through rouge-score, which reproduces ROUGE-1.5.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from harness.scorers._targets import BEST, best_of_targets
from harness.types import Metric, Sample, Score

_TYPES = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL", "rouge_lsum": "rougeLsum"}
_NAMES = {theirs: ours for ours, theirs in _TYPES.items()}
_WHAT = {
    "rouge1": "overlap of words",
    "rouge2": "overlap of pairs of adjacent words",
    "rouge_l": "longest common subsequence of words",
    "rouge_lsum": "union of longest common subsequences over lines (a newline ends a sentence)",
}
_MOST_CELLS = 25_000_000
"""Of the table of common subsequences: beyond it rouge-score takes minutes and gigabytes."""
_TOO_LONG = "prediction and target are too long for a table of common subsequences"
_NO_WORDS = "no target has a word of a-z or 0-9, which is all that ROUGE reads"


@dataclass(frozen=True)
class Rouge:
    """``rouge1``, ``rouge2``, ``rouge_l``, ``rouge_lsum``: F-measures (Lin 2004, "ROUGE: A Package
    for Automatic Evaluation of Summaries"). With ``stemmer``, Porter's, ``_stem`` is appended.

    Words are runs of a-z and 0-9 after lower-casing; a sample whose targets have none of them
    (another script) is unscored. So are ``rouge_l`` and ``rouge_lsum`` of texts too long for the
    table (about 5,000 words on both sides).
    """

    stemmer: bool = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        stem = "words of more than 3 letters stemmed (Porter)" if self.stemmer else "no stemmer"
        return tuple(
            Metric(
                self._name(name),
                f"F-measure of the {what}; words are runs of a-z and 0-9 in lower case, {stem}; "
                f"{BEST}",
                version=f"rouge-score=={version('rouge-score')}",
            )
            for name, what in _WHAT.items()
        )

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values in [0, 1]; each distinct (prediction, target) is computed once."""
        names = [metric.name for metric in self.metrics]
        rows = best_of_targets(names, predictions, samples, self._pair)
        unread = dict.fromkeys(names, Score.unscored(_NO_WORDS))
        return [
            unread if _unreadable(sample.targets) else row
            for row, sample in zip(rows, samples, strict=True)
        ]

    def _name(self, name: str) -> str:
        return f"{name}_stem" if self.stemmer else name

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        found = {self._name(name): Score.unscored(_TOO_LONG) for name in _TYPES}
        types = ("rouge1", "rouge2") if _too_long(prediction, target) else tuple(_TYPES.values())
        for name, score in _scorer(types, self.stemmer).score(target, prediction).items():
            found[self._name(_NAMES[name])] = Score(float(score.fmeasure))
        return found


PRESETS = {"rouge_stem": Rouge(stemmer=True)}


def _unreadable(targets: Sequence[str]) -> bool:
    return any(targets) and not any(_words(target) for target in targets)


def _words(text: str) -> list[str]:
    from rouge_score.tokenize import tokenize

    words: list[str] = tokenize(text, None)
    return words


def _too_long(prediction: str, target: str) -> bool:
    # A word and its space are two characters at least: most pairs need no counting.
    if len(prediction) * len(target) <= 4 * _MOST_CELLS:
        return False
    return len(_words(prediction)) * len(_words(target)) > _MOST_CELLS


@cache
def _scorer(types: tuple[str, ...], stemmer: bool) -> Any:
    # Its import of nltk takes more than a second.
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(types), use_stemmer=stemmer)
