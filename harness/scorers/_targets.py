"""What scorers that compare with targets share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.scorers import _cores
from harness.scorers._all import NO_TARGET
from harness.types import Sample, Score

BEST = "several targets: the best counts"

Pair = tuple[str, str]
"""Prediction and target."""


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
    pairs = _pairs(predictions, samples)
    known = {both: pair(*both) for both in pairs}
    return _rows(names, predictions, samples, known)


def best_on_all_cores(
    names: Iterable[str],
    predictions: Sequence[str],
    samples: Sequence[Sample],
    work: Callable[[Sequence[Pair]], Sequence[Mapping[str, Score]]],
    size: Callable[[Pair], float],
) -> list[Mapping[str, Score]]:
    """``best_of_targets`` of slow ``work`` over many pairs: those of one target stand together, so
    that ``work`` can share what it knows of a target. ``size``: see ``_cores.spread``."""
    pairs = _pairs(predictions, samples)
    places = {target: i for i, target in enumerate(dict.fromkeys(t for _, t in pairs))}
    pairs.sort(key=lambda both: places[both[1]])
    known = dict(zip(pairs, _cores.spread(work, pairs, size), strict=True))
    return _rows(names, predictions, samples, known)


def _pairs(predictions: Sequence[str], samples: Sequence[Sample]) -> list[Pair]:
    """The distinct ones, in the order of their first appearance."""
    given = zip(predictions, samples, strict=True)
    return list(dict.fromkeys((p, target) for p, sample in given for target in sample.targets))


def _rows(
    names: Iterable[str],
    predictions: Sequence[str],
    samples: Sequence[Sample],
    known: Mapping[Pair, Mapping[str, Score]],
) -> list[Mapping[str, Score]]:
    metrics = tuple(names)
    rows: list[Mapping[str, Score]] = []
    for prediction, sample in zip(predictions, samples, strict=True):
        found = [known[prediction, target] for target in sample.targets]
        rows.append({m: _best([scores[m] for scores in found]) for m in metrics})
    return rows


def _best(scores: list[Score]) -> Score:
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return next(score for score in scores if score.value is None)
    if any(value != value for value in values):
        # NaN, which every comparison would pass over.
        return Score(math.nan)
    # The first that is best, with its remark.
    return scores[values.index(max(values))] if values else Score.unscored(NO_TARGET)
