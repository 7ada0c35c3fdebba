"""Perplexity and bits per byte: how likely does the model find the right answer?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from harness.scorers._all import NO_TARGET
from harness.scorers._targets import BEST
from harness.types import Likelihood, Metric, Sample, Score

NO_MODEL = "perplexity is measured by `harness run`, as it takes the model"


@dataclass(frozen=True)
class Perplexity:
    """``perplexity`` and ``bits_per_byte`` of the target under each variant; lower is better.

    The model is given the variant's prompt and the target (teacher forcing). With the mean
    negative log-likelihood H of the target's tokens in nats, ``perplexity`` is e^H (Jelinek et
    al. 1977), at least 1. ``bits_per_byte`` is the target's negative log-likelihood in bits
    divided by its bytes in UTF-8 (Gao et al. 2020, "The Pile"); it can be compared across
    tokenizers, perplexity cannot. ``end_of_turn`` counts the end token that follows the target
    as one of its tokens, as the loss in training does.

    What the variant generated plays no part. Both are each sample's own, so a mean over samples
    is not that of all tokens together, and a few unlikely targets can decide it.
    """

    end_of_turn: bool = False

    needs_likelihood: ClassVar[bool] = True

    @property
    def metrics(self) -> tuple[Metric, ...]:
        end = "and the end token " if self.end_of_turn else "without the end token "
        after = f"after the variant's prompt and the chat template, teacher-forced; {BEST}"
        version = "harness.perplexity==1"
        return (
            Metric(
                "perplexity",
                f"exp of the mean negative log-likelihood of the target's tokens {end}{after}",
                False,
                low=1.0,
                high=None,
                version=version,
            ),
            Metric(
                "bits_per_byte",
                f"negative log-likelihood of the target's tokens {end}in bits, by the target's "
                f"bytes in UTF-8, {after}",
                False,
                high=None,
                version=version,
            ),
        )

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """All unscored: there is no model here to ask."""
        return [{m.name: Score.unscored(NO_MODEL) for m in self.metrics} for _ in samples]

    def score_likelihoods(
        self, likelihoods: Sequence[Sequence[Likelihood]]
    ) -> list[Mapping[str, Score]]:
        """Values for each row of likelihoods, one for each target; unscored where one of them is
        not known or its target is empty."""
        return [self._row(row) for row in likelihoods]

    def _row(self, likelihoods: Sequence[Likelihood]) -> Mapping[str, Score]:
        found = [self._one(likelihood) for likelihood in likelihoods]
        names = [m.name for m in self.metrics]
        if not found:
            return dict.fromkeys(names, Score.unscored(NO_TARGET))
        return {name: _least([scores[name] for scores in found]) for name in names}

    def _one(self, likelihood: Likelihood) -> dict[str, Score]:
        why = likelihood.error
        total, tokens = likelihood.log_likelihood, likelihood.tokens
        if why is None and not (tokens and likelihood.bytes):
            why = "the target is empty"
        if why is None and self.end_of_turn:
            if likelihood.end_log_likelihood is None:
                why = "the chat template closes the target with no end token that is known"
            elif total is not None:
                total, tokens = total + likelihood.end_log_likelihood, tokens + 1
        if why is None and total is not None and not math.isfinite(total):
            why = "the likelihood is no finite number"
        if why is not None or total is None:
            reason = why or "there is no likelihood"
            return {m.name: Score.unscored(reason) for m in self.metrics}
        # Rounding can put a certainty a hair above it.
        total = min(0.0, total)
        return {
            "perplexity": _exp(-total / tokens),
            "bits_per_byte": Score(-total / math.log(2) / likelihood.bytes),
        }


def _least(scores: Sequence[Score]) -> Score:
    """The best; unscored where one is, as it might have been the best."""
    unscored = [score for score in scores if score.value is None]
    return unscored[0] if unscored else min(scores, key=lambda score: score.value or 0.0)


def _exp(nats: float) -> Score:
    try:
        return Score(math.exp(nats))
    except OverflowError:
        return Score.unscored(f"the perplexity is beyond any number: e to the {nats:.0f}")
