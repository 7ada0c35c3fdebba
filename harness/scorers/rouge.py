"""ROUGE through rouge-score, which reproduces ROUGE-1.5.5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from harness.scorers._subsequence import subsequence, subsequence_length
from harness.scorers._targets import BEST, Pair, best_on_all_cores
from harness.types import Metric, Sample, Score

_WHAT = {
    "rouge1": "overlap of words",
    "rouge2": "overlap of pairs of adjacent words",
    "rouge_l": "longest common subsequence of words",
    "rouge_lsum": "union of longest common subsequences over lines (a newline ends a sentence)",
}
_MOST = {"rouge_l": 10_000_000_000, "rouge_lsum": 1_000_000_000}
"""Pairs of a word of the prediction and one of the target: seconds, and 125 MB."""
_TOO_LONG = "prediction and target are too long to look for common subsequences"
_NO_WORDS = "a target has no word of a-z or 0-9, which is all that ROUGE reads"


@dataclass(frozen=True)
class Rouge:
    """``rouge1``, ``rouge2``, ``rouge_l``, ``rouge_lsum``: F-measures (Lin 2004, "ROUGE: A Package
    for Automatic Evaluation of Summaries"). With ``stemmer``, Porter's, ``_stem`` is appended.

    Words are runs of a-z and 0-9 after lower-casing; a sample with a target that has none of them
    and is not blank (another script) is unscored. So are ``rouge_l`` of texts with more than
    10^10 pairs of words (100,000 words on both sides), and ``rouge_lsum`` with more than 10^9
    (30,000) in several lines.

    The values are those of ``RougeScorer.score`` of rouge-score; words are stemmed once, and the
    common subsequences are found by bits and not in a table.
    """

    stemmer: bool = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        stem = (
            "words of more than 3 letters stemmed (NLTK's Porter)" if self.stemmer else "no stemmer"
        )
        packages = ("rouge-score", "nltk") if self.stemmer else ("rouge-score",)
        versions = ", ".join(f"{package}=={version(package)}" for package in packages)
        return tuple(
            Metric(
                self._name(name),
                f"F-measure of the {what}; words are runs of a-z and 0-9 in lower case, {stem}; "
                f"{BEST}",
                version=versions,
            )
            for name, what in _WHAT.items()
        )

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values in [0, 1]; each distinct (prediction, target) is computed once."""
        names = [metric.name for metric in self.metrics]
        return best_on_all_cores(names, predictions, samples, self._pairs, _effort)

    def _name(self, name: str) -> str:
        return f"{name}_stem" if self.stemmer else name

    def _pairs(self, pairs: Sequence[Pair]) -> list[dict[str, Score]]:
        return [self._pair(*pair) for pair in pairs]

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        words = _stems if self.stemmer else _words
        if target.strip() and not words(target):
            return {self._name(name): Score.unscored(_NO_WORDS) for name in _WHAT}
        n_grams = _scorer(("rouge1", "rouge2"), self.stemmer).score(target, prediction)
        found = {name: float(score.fmeasure) for name, score in n_grams.items()}
        values: dict[str, float | None] = dict(found)
        values["rouge_l"] = _by_length(words(prediction), words(target))
        values["rouge_lsum"] = values["rouge_l"]
        if "\n" in prediction or "\n" in target:
            # Otherwise the union is over one line, and so the subsequence itself.
            lines = ([words(line) for line in text.split("\n")] for text in (prediction, target))
            values["rouge_lsum"] = _by_union(*lines)
        return {
            self._name(name): Score.unscored(_TOO_LONG) if value is None else Score(value)
            for name, value in values.items()
        }


PRESETS = {"rouge_stem": Rouge(stemmer=True)}


def _by_length(predicted: Sequence[str], wanted: Sequence[str]) -> float | None:
    """Lin's F-measure of the longest common subsequence; None: it would take too long."""
    if len(predicted) * len(wanted) > _MOST["rouge_l"]:
        return None
    return _f_measure(subsequence_length(wanted, predicted), len(predicted), len(wanted))


def _by_union(predicted: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> float | None:
    """Lin's F-measure on the level of the summary: a word of a line of the target is hit if it is
    in the common subsequence with some line of the prediction, and, as in ROUGE-1.5.5 and
    rouge-score, no word is hit more often than either side has it. None: too long."""
    left = Counter(word for line in predicted for word in line)
    right = Counter(word for line in wanted for word in line)
    if left.total() * right.total() > _MOST["rouge_lsum"]:
        return None
    in_union: Counter[str] = Counter()
    for line in wanted:
        places = set().union(*(subsequence(line, other) for other in predicted))
        in_union.update(line[i] for i in places)
    return _f_measure((in_union & left & right).total(), left.total(), right.total())


def _f_measure(hits: int, predicted: int, wanted: int) -> float:
    from rouge_score.scoring import fmeasure

    if not predicted or not wanted:
        return 0.0
    return float(fmeasure(hits / predicted, hits / wanted))


def _effort(pair: Pair) -> float:
    prediction, target = pair
    return len(prediction) + len(target) + len(prediction) * len(target) / 2000 + 50.0


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
