"""Repetition: how much of the output says again what it has said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from harness.errors import SuiteError
from harness.types import Metric, Sample, Score

LONGEST = 40
"""Characters of the longest word; what is longer is no word, but a line or a loop."""
MOST = 20
"""Words of the longest n-gram: time and memory grow with it."""
SPACELESS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
"""Scripts that put no white space between words."""


@dataclass(frozen=True)
class Repetition:
    """``repetition``: the share of the output's word n-grams that are repeats; lower is better.

    1 - distinct / all, the seq-rep-n of Welleck et al. 2020, "Neural Text Generation with
    Unlikelihood Training"; there over the model's tokens, here over words, so that it can be
    compared across tokenizers. Words are what stands between white space, case and
    punctuation kept; a character of a script without spaces (``SPACELESS``) is a word of its own,
    and so is each character of a word longer than ``LONGEST``, or a loop of one character would
    be a single word. An output of fewer than ``n`` words has 0.

    Raises SuiteError for an ``n`` that is no whole number from 1 to ``MOST``.
    """

    n: int = 4

    needs_target: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if type(self.n) is not int or not 1 <= self.n <= MOST:
            raise SuiteError(
                f"Repetition: n must be a whole number from 1 to {MOST}, got {self.n!r}."
            )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        definition = (
            f"1 - distinct / all word {self.n}-grams of the output (seq-rep-{self.n}), 0 where it "
            f"has fewer than {self.n} words; words are split at white space, case and punctuation "
            f"kept; each character of {', '.join(SPACELESS)} and of a word of more than {LONGEST} "
            "characters is a word"
        )
        return (Metric("repetition", definition, False, version="harness.repetition==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """A share for each prediction; targets are not looked at. None is unscored."""
        return [
            {"repetition": Score(_repeated(words(prediction), self.n))}
            for prediction, _ in zip(predictions, samples, strict=True)
        ]


def words(text: str) -> list[str]:
    """The words of which n-grams are made."""
    found: list[str] = []
    for piece in text.split():
        for word in (piece,) if piece.isascii() else _pattern().findall(piece):
            found.extend(word if len(word) > LONGEST else (word,))
    return found


@cache
def _pattern() -> Any:
    import regex

    scripts = "".join(rf"\p{{{script}}}" for script in SPACELESS)
    # A vowel sign or tone mark belongs to the letter before it.
    return regex.compile(rf"[{scripts}]\p{{M}}*+|[^{scripts}]++")


def _repeated(found: Sequence[str], n: int) -> float:
    grams = len(found) - n + 1
    if grams < 1:
        return 0.0
    return (grams - len(set(zip(*(found[i:] for i in range(n)), strict=False)))) / grams
