"""Scores of every answer; those that take an encoder are kept between runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import fingerprints, scorers
from harness.pipeline.progress import Progress, Silent
from harness.store.cache import Cache
from harness.types import Likelihood, Sample, Score, Scorer

PART = 2000
"""Predictions after which expensive scores are kept, so that an interruption costs no more."""


def score(
    found: Sequence[Scorer],
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    cache: Cache,
    likelihoods: Sequence[Sequence[Likelihood] | None] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Score]]:
    """One mapping (metric to score) per prediction, by every scorer.

    ``progress`` advances by a unit for each prediction and scorer. Raises as ``score_all``.
    """
    progress = progress or Silent()
    scorers.check_names(found)
    rows: list[dict[str, Score]] = [{} for _ in samples]
    for scorer in found:
        if scorers.is_expensive(scorer):
            scored = _kept(scorer, predictions, samples, cache, progress)
        else:
            scored = scorers.score_all([scorer], predictions, samples, likelihoods)
            progress.advance(len(samples), _title(scorer))
        for row, scores in zip(rows, scored, strict=True):
            row.update(scores)
    return rows


def _kept(
    scorer: Scorer,
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    cache: Cache,
    progress: Progress,
) -> list[dict[str, Score]]:
    meaning = scorers.fingerprint(scorer)
    # The whole sample: a scorer may look at the question and its metadata as well.
    keys = [
        fingerprints.of([meaning, prediction, sample])
        for prediction, sample in zip(predictions, samples, strict=True)
    ]
    known = cache.get_many("scores", keys)
    fresh = {key: i for i, key in enumerate(keys) if key not in known}
    progress.advance(len(keys) - len(fresh), _title(scorer))
    for part in _parts(fresh, samples):
        scored = scorers.score_all(
            [scorer], [predictions[i] for i in part.values()], [samples[i] for i in part.values()]
        )
        made = {
            key: {name: [s.value, s.reason] for name, s in row.items()}
            for key, row in zip(part, scored, strict=True)
        }
        # What could not be scored may be scored next time, so it is not kept.
        cache.put_many(
            "scores",
            [(k, v) for k, v in made.items() if all(x is not None for x, _ in v.values())],
        )
        known.update(made)
        progress.advance(len(part), _title(scorer))
    return [{name: Score(*pair) for name, pair in known[key].items()} for key in keys]


def _parts(fresh: dict[str, int], samples: Sequence[Sample]) -> Iterator[dict[str, int]]:
    """About ``PART`` at a time; those of the same targets together, as they share the work."""
    alike: dict[tuple[str, ...], dict[str, int]] = {}
    for key, i in fresh.items():
        alike.setdefault(samples[i].targets, {})[key] = i
    part: dict[str, int] = {}
    for some in alike.values():
        part |= some
        if len(part) >= PART:
            yield part
            part = {}
    if part:
        yield part


def _title(scorer: Scorer) -> str:
    return next((metric.name for metric in scorer.metrics), "")
