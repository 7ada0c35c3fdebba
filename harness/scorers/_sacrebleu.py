"""Sentence scores of sacrebleu's metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.scorers import _cores
from harness.scorers._all import NO_TARGET
from harness.types import Sample, Score

HIGH = 100.0

Key = tuple[str, tuple[str, ...]]
"""A prediction and all its targets, which sacrebleu takes together."""


def signature(metric: Any) -> str:
    """sacrebleu's own, for any number of references."""
    metric.num_refs = -1
    return str(metric.get_signature())


def sentence_scores(
    name: str,
    predictions: Sequence[str],
    samples: Sequence[Sample],
    work: Callable[[Sequence[Key]], Sequence[float]],
) -> list[Mapping[str, Score]]:
    """``work`` of each distinct prediction and its targets, on all cores where there is much of
    it; unscored where there is no target."""
    keys = [(p, tuple(s.targets)) for p, s in zip(predictions, samples, strict=True)]
    distinct = [key for key in dict.fromkeys(keys) if key[1]]
    values = _cores.spread(work, distinct, _effort)
    known = {key: Score(value) for key, value in zip(distinct, values, strict=True)}
    return [{name: known.get(key, Score.unscored(NO_TARGET))} for key in keys]


def each(metric: Any, keys: Sequence[Key]) -> list[float]:
    """``metric.sentence_score`` of each, 0 to 100."""
    scores = (metric.sentence_score(p, list(targets)).score for p, targets in keys)
    # A perfect BLEU is 100.00000000000004.
    return [min(float(score), HIGH) for score in scores]


def _effort(key: Key) -> float:
    prediction, targets = key
    return 50.0 + len(prediction) + sum(map(len, targets))
