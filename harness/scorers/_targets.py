"""What scorers that compare with targets share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.scorers._all import NO_TARGET
from harness.types import Sample, Score

BEST = "several targets: the best counts"


def best_of_targets(
    names: Iterable[str],
    predictions: Sequence[str],
    samples: Sequence[Sample],
    pair: Callable[[str, str], Mapping[str, Score]],
) -> list[Mapping[str, Score]]:
    """``pair(prediction, target)`` for every target, the maximum of each metric.

    Each distinct pair is computed once. Unscored: a sample without targets, or with one that the
    prediction could not be held against, as it might have been the best.
    """
    known: dict[tuple[str, str], Mapping[str, Score]] = {}
    metrics = tuple(names)
    rows: list[Mapping[str, Score]] = []
    for prediction, sample in zip(predictions, samples, strict=True):
        for target in sample.targets:
            if (prediction, target) not in known:
                known[prediction, target] = pair(prediction, target)
        found = [known[prediction, target] for target in sample.targets]
        rows.append({m: _best([scores[m] for scores in found]) for m in metrics})
    return rows


def _best(scores: list[Score]) -> Score:
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return next(score for score in scores if score.value is None)
    # The first that is best, with its remark.
    return scores[values.index(max(values))] if values else Score.unscored(NO_TARGET)
