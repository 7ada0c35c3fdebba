"""BLEU of single outputs, through sacrebleu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from harness.errors import SuiteError, did_you_mean
from harness.scorers._sacrebleu import HIGH, Key, each, sentence_scores, signature
from harness.types import Metric, Sample, Score

TOKENIZERS = ("13a", "intl", "zh", "char", "none")
"""Those of sacrebleu that need neither a download nor another package."""
SMOOTHING = ("exp", "floor", "add-k", "none")


@dataclass(frozen=True)
class Bleu:
    """``bleu``: sacrebleu's sentence BLEU with effective order, 0 to 100 (Papineni et al. 2002;
    Post 2018, "A Call for Clarity in Reporting BLEU Scores").

    n-grams up to 4 words; smoothing after Chen and Cherry 2014. Several targets are BLEU's own
    several references: an n-gram counts if any of them has it. A mean over samples is not corpus
    BLEU. Raises SuiteError for an unknown tokenizer or smoothing.
    """

    lowercase: bool = False
    tokenize: str = "13a"
    smooth_method: str = "exp"

    def __post_init__(self) -> None:
        _one_of("tokenize", self.tokenize, TOKENIZERS)
        _one_of("smooth_method", self.smooth_method, SMOOTHING)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        definition = (
            "sentence BLEU of n-grams up to 4, 0 to 100, all targets of a sample together as its "
            f"references; sacrebleu signature {signature(self._metric())}"
        )
        package = f"sacrebleu=={version('sacrebleu')}"
        return (Metric("bleu", definition, high=HIGH, version=package),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """A value in [0, 100] for each prediction; unscored where the sample has no target."""
        return sentence_scores("bleu", predictions, samples, self._each)

    def _each(self, keys: Sequence[Key]) -> list[float]:
        return each(self._metric(), keys)

    def _metric(self) -> Any:
        return _sacrebleu(self.lowercase, self.tokenize, self.smooth_method)


def _one_of(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise SuiteError(f"Bleu has no {option} {value!r}.{did_you_mean(str(value), known)}")


@lru_cache(maxsize=8)
def _sacrebleu(lowercase: bool, tokenize: str, smooth_method: str) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(
        lowercase=lowercase,
        tokenize=tokenize,
        smooth_method=smooth_method,
        # Without it a text of fewer than four words is not even like itself.
        effective_order=True,
    )
