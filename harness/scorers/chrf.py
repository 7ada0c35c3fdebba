"""chrF and chrF++ of single outputs, through sacrebleu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from harness.errors import SuiteError
from harness.scorers._sacrebleu import HIGH, Key, each, sentence_scores, signature
from harness.scorers._targets import BEST
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class Chrf:
    """``chrf``: sacrebleu's sentence chrF, 0 to 100 (Popović 2015): F-beta of n-grams of
    characters, white space left out. With ``word_order=2`` it is ``chrf++`` (Popović 2017), with
    1 ``chrf+``.

    It needs no words, so it serves scripts without spaces. ``beta`` 2 weighs recall twice. A mean
    over samples is not corpus chrF. Raises SuiteError for an impossible order or weight.
    """

    char_order: int = 6
    word_order: int = 0
    beta: int = 2
    lowercase: bool = False

    def __post_init__(self) -> None:
        for option, value, least, most in (
            ("char_order", self.char_order, 1, 20),
            ("word_order", self.word_order, 0, 2),
            ("beta", self.beta, 1, 10),
        ):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not least <= value <= most:
                raise SuiteError(
                    f"Chrf's {option} is a whole number from {least} to {most}, got {value!r}."
                )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        words = f" and of words up to {self.word_order}" if self.word_order else ""
        definition = (
            f"sentence chrF, 0 to 100: F-score with beta {self.beta} of n-grams of characters up "
            f"to {self.char_order}{words}; {BEST}; sacrebleu signature {signature(self._metric())}"
        )
        package = f"sacrebleu=={version('sacrebleu')}"
        return (Metric(self._name(), definition, high=HIGH, version=package),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """A value in [0, 100] for each prediction; unscored where the sample has no target."""
        return sentence_scores(self._name(), predictions, samples, self._each)

    def _name(self) -> str:
        return "chrf" + "+" * self.word_order

    def _each(self, keys: Sequence[Key]) -> list[float]:
        return each(self._metric(), keys)

    def _metric(self) -> Any:
        return _sacrebleu(self.char_order, self.word_order, self.beta, self.lowercase)


PRESETS = {"chrf++": Chrf(word_order=2)}


@lru_cache(maxsize=8)
def _sacrebleu(char_order: int, word_order: int, beta: int, lowercase: bool) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(char_order=char_order, word_order=word_order, beta=beta, lowercase=lowercase)
