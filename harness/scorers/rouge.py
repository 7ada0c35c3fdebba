"""ROUGE through rouge-score, which reproduces ROUGE-1.5.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from harness.scorers._subsequence import subsequence_length
from harness.scorers._targets import BEST, Pair, best_on_all_cores
from harness.types import Metric, Sample, Score

_WHAT = {
    "rouge1": "overlap of words",
    "rouge2": "overlap of pairs of adjacent words",
    "rouge_l": "longest common subsequence of words",
    "rouge_lsum": "union of longest common subsequences over lines (a newline ends a sentence)",
}
_MOST_CELLS = 25_000_000
"""Of rouge-score's table of common subsequences: beyond it takes minutes and gigabytes."""
_MOST_PAIRS = 10_000_000_000
"""Of words, where the table is not needed: about a second."""
_TOO_LONG = "prediction and target are too long for a table of common subsequences"
_NO_WORDS = "no target has a word of a-z or 0-9, which is all that ROUGE reads"


@dataclass(frozen=True)
class Rouge:
    """``rouge1``, ``rouge2``, ``rouge_l``, ``rouge_lsum``: F-measures (Lin 2004, "ROUGE: A Package
    for Automatic Evaluation of Summaries"). With ``stemmer``, Porter's, ``_stem`` is appended.

    Words are runs of a-z and 0-9 after lower-casing; a sample whose targets have none of them
    (another script) is unscored. So are ``rouge_l`` of texts with more than 10^10 pairs of words
    (100,000 words on both sides) and ``rouge_lsum`` of texts of several lines with more than
    25 million (5,000 on both sides).

    The values are those of ``RougeScorer.score``. Words are stemmed once, and where no table of
    common subsequences is read back, their length is found without one.
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
        rows = best_on_all_cores(names, predictions, samples, self._pairs, _effort)
        unread = dict.fromkeys(names, Score.unscored(_NO_WORDS))
        return [
            unread if _unreadable(sample.targets) else row
            for row, sample in zip(rows, samples, strict=True)
        ]

    def _name(self, name: str) -> str:
        return f"{name}_stem" if self.stemmer else name

    def _pairs(self, pairs: Sequence[Pair]) -> list[dict[str, Score]]:
        return [self._pair(*pair) for pair in pairs]

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        words = _stems if self.stemmer else _words
        n_grams = _scorer(("rouge1", "rouge2"), self.stemmer).score(target, prediction)
        found = {name: float(score.fmeasure) for name, score in n_grams.items()}
        values: dict[str, float | None] = dict(found)
        values["rouge_l"] = _by_length(words(prediction), words(target))
        if _lines(prediction) < 2 and _lines(target) < 2:
            # The union over one line is the subsequence itself.
            values["rouge_lsum"] = values["rouge_l"]
        else:
            values["rouge_lsum"] = self._by_union(prediction, target)
        return {
            self._name(name): Score.unscored(_TOO_LONG) if value is None else Score(value)
            for name, value in values.items()
        }

    def _by_union(self, prediction: str, target: str) -> float | None:
        # A word and its space are two characters at least: most pairs need no counting.
        if (
            len(prediction) * len(target) > 4 * _MOST_CELLS
            and len(_words(prediction)) * len(_words(target)) > _MOST_CELLS
        ):
            return None
        scores = _scorer(("rougeLsum",), self.stemmer).score(target, prediction)
        return float(scores["rougeLsum"].fmeasure)


PRESETS = {"rouge_stem": Rouge(stemmer=True)}


def _unreadable(targets: Sequence[str]) -> bool:
    return any(targets) and not any(_words(target) for target in targets)


def _by_length(predicted: Sequence[str], wanted: Sequence[str]) -> float | None:
    """Lin's F-measure of the longest common subsequence; None: it would take too long."""
    if not predicted or not wanted:
        return 0.0
    if len(predicted) * len(wanted) > _MOST_PAIRS:
        return None
    from rouge_score.scoring import fmeasure

    length = subsequence_length(wanted, predicted)
    return float(fmeasure(length / len(predicted), length / len(wanted)))


def _lines(text: str) -> int:
    """How many lines rouge-score makes of it."""
    return sum(map(bool, text.split("\n"))) if "\n" in text else 1


def _effort(pair: Pair) -> float:
    """Roughly: a line break calls for the table, which grows with the product."""
    prediction, target = pair
    table = len(prediction) * len(target) if "\n" in prediction or "\n" in target else 0
    return len(prediction) + len(target) + table / 30 + 50


@lru_cache(maxsize=64)
def _words(text: str) -> tuple[str, ...]:
    from rouge_score.tokenize import tokenize

    return tuple(tokenize(text, None))


@lru_cache(maxsize=64)
def _stems(text: str) -> tuple[str, ...]:
    from rouge_score.tokenize import tokenize

    return tuple(tokenize(text, _Stemmer))


class _Stemmer:
    """Porter's as rouge-score has it; a word is stemmed once."""

    @staticmethod
    @lru_cache(maxsize=100_000)
    def stem(word: str) -> str:
        return str(_porter().stem(word))


@cache
def _porter() -> Any:
    # Its import takes more than a second.
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@dataclass(frozen=True)
class _Tokenizer:
    """What rouge-score asks for words."""

    stemmer: bool

    def tokenize(self, text: str) -> Sequence[str]:
        return _stems(text) if self.stemmer else _words(text)


@cache
def _scorer(types: tuple[str, ...], stemmer: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(types), tokenizer=_Tokenizer(stemmer))
