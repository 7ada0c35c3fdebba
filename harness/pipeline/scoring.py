"""Scores of every answer; those that take an encoder are kept between runs."""

from __future__ import annotations

from collections.abc import Sequence

from harness import fingerprints, scorers
from harness.store.cache import Cache
from harness.types import Likelihood, Sample, Score, Scorer


def score(
    found: Sequence[Scorer],
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    cache: Cache,
    likelihoods: Sequence[Sequence[Likelihood] | None] | None = None,
) -> list[dict[str, Score]]:
    """One mapping (metric to score) per prediction, by every scorer."""
    rows: list[dict[str, Score]] = [{} for _ in samples]
    cheap = [s for s in found if not scorers.is_expensive(s)]
    scored = scorers.score_all(cheap, predictions, samples, likelihoods)
    for row, scores in zip(rows, scored, strict=True):
        row.update(scores)
    for scorer in found:
        if scorers.is_expensive(scorer):
            kept = _kept(scorer, predictions, samples, cache)
            for row, scores in zip(rows, kept, strict=True):
                row.update(scores)
    return rows


def _kept(
    scorer: Scorer, predictions: Sequence[str | None], samples: Sequence[Sample], cache: Cache
) -> list[dict[str, Score]]:
    meaning = scorers.fingerprint(scorer)
    # The whole sample: a scorer may look at the question and its metadata as well.
    keys = [
        fingerprints.of([meaning, prediction, sample])
        for prediction, sample in zip(predictions, samples, strict=True)
    ]
    known = cache.get_many("scores", keys)
    fresh = {key: i for i, key in enumerate(keys) if key not in known}
    scored = scorers.score_all(
        [scorer], [predictions[i] for i in fresh.values()], [samples[i] for i in fresh.values()]
    )
    made = {
        key: {name: [s.value, s.reason] for name, s in row.items()}
        for key, row in zip(fresh, scored, strict=True)
    }
    # What could not be scored may be scored next time, so it is not kept.
    cache.put_many(
        "scores", [(k, v) for k, v in made.items() if all(x is not None for x, _ in v.values())]
    )
    known.update(made)
    return [{name: Score(*pair) for name, pair in known[key].items()} for key in keys]
