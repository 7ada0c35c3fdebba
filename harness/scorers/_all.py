"""Several scorers over the same predictions; a defect of one leaves the others standing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from harness import fingerprints
from harness.errors import SuiteError, UsageError
from harness.types import Likelihood, LikelihoodScorer, Metric, Sample, Score, Scorer

Likelihoods = Sequence[Sequence[Likelihood] | None]
"""For each prediction those of its sample's targets, in order; None where they are not known."""

NO_TARGET = "the sample has no target"
NO_PREDICTION = "there is no prediction"
NO_LIKELIHOOD = "there is no likelihood of the targets"


def needs_target(scorer: Scorer) -> bool:
    """Whether the scorer compares with targets; unless it says otherwise, it does."""
    return bool(getattr(scorer, "needs_target", True))


def needs_likelihood(scorer: Scorer) -> bool:
    """Whether the scorer looks at how likely the targets are (``types.LikelihoodScorer``)."""
    return bool(getattr(scorer, "needs_likelihood", False))


def is_expensive(scorer: Scorer) -> bool:
    """Whether its scores are worth keeping."""
    return bool(getattr(scorer, "expensive", False))


def fingerprint(scorer: Scorer) -> str:
    """SHA-256 of all that can change the scorer's values: the scorer's own ``fingerprint``, or
    its metrics' definitions and versions."""
    own = getattr(scorer, "fingerprint", None)
    return str(own) if own is not None else fingerprints.of(list(scorer.metrics))


def prepare(scorers: Sequence[Scorer]) -> None:
    """Fetch what the scorers need. Raises MissingExtra and SourceError as they do, and SuiteError
    for a scorer that calls ``sys.exit``."""
    for scorer in scorers:
        ready = getattr(scorer, "prepare", None)
        if ready is None:
            continue
        try:
            ready()
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise SuiteError(f"{_name(scorer)} left with {error!r} while it prepared.") from error


def _name(scorer: Scorer) -> str:
    return str(getattr(scorer, "name", type(scorer).__name__))


def score_all(
    scorers: Sequence[Scorer],
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    likelihoods: Likelihoods | None = None,
) -> list[dict[str, Score]]:
    """One mapping (metric name to score) per prediction, with every metric of every scorer.

    ``likelihoods`` are for the scorers that look at them (``needs_likelihood``).

    A prediction that is None, a sample without targets, a scorer that raises, that returns the
    wrong rows or an impossible value: all are unscored, with a reason that names the scorer. A
    reason beside a value is a remark on it. Raises SuiteError where two scorers give a metric of
    the same name but not the same meaning; lets UsageError through, as it wants a correction.
    """
    if len(predictions) != len(samples):
        raise ValueError(f"{len(predictions)} predictions for {len(samples)} samples")
    check_names(scorers)
    rows: list[dict[str, Score]] = [{} for _ in samples]
    for scorer in scorers:
        scored = _score(scorer, predictions, samples, likelihoods)
        for row, scores in zip(rows, scored, strict=True):
            row.update(scores)
    return rows


def check_names(scorers: Sequence[Scorer]) -> None:
    """Raise SuiteError where two scorers mean different things by the name of one metric."""
    known: dict[str, Metric] = {}
    for metric in (m for scorer in scorers for m in scorer.metrics):
        if known.setdefault(metric.name, metric) != metric:
            raise SuiteError(
                f"Two scorers give the metric '{metric.name}' with different definitions "
                f"('{known[metric.name].definition}' and '{metric.definition}'). Keep one."
            )


def _score(
    scorer: Scorer,
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    likelihoods: Likelihoods | None,
) -> list[dict[str, Score]]:
    metrics = scorer.metrics
    rows: list[dict[str, Score]] = []
    asked: list[int] = []
    for i, (prediction, sample) in enumerate(zip(predictions, samples, strict=True)):
        missing = NO_TARGET if needs_target(scorer) and not sample.targets else None
        if prediction is None:
            missing = NO_PREDICTION
        elif needs_likelihood(scorer) and likelihoods is not None and likelihoods[i] is None:
            missing = missing or NO_LIKELIHOOD
        if missing is None:
            asked.append(i)
        rows.append(_unscored(metrics, missing or ""))
    for i, scores in zip(
        asked, _guarded(scorer, asked, predictions, samples, likelihoods), strict=True
    ):
        rows[i] = scores
    return rows


def _guarded(
    scorer: Scorer,
    asked: Sequence[int],
    predictions: Sequence[str | None],
    samples: Sequence[Sample],
    likelihoods: Likelihoods | None,
) -> list[dict[str, Score]]:
    name, metrics = _name(scorer), scorer.metrics
    if not asked:
        return []
    try:
        if needs_likelihood(scorer) and likelihoods is not None:
            known = [likelihoods[i] or () for i in asked]
            rows = cast(LikelihoodScorer, scorer).score_likelihoods(known)
        else:
            rows = scorer.score([predictions[i] or "" for i in asked], [samples[i] for i in asked])
        if len(rows) != len(asked):
            why = f"{name} returned {len(rows)} rows for {len(asked)} predictions"
        else:
            return [{m.name: _checked(m, row, metrics, name) for m in metrics} for row in rows]
    except (UsageError, KeyboardInterrupt):
        raise
    except BaseException as error:
        # A scorer that leaves the process (SystemExit, pytest's skip) would choose its exit code.
        why = f"{name} raised {type(error).__name__}: {error}"
    return [_unscored(metrics, why) for _ in asked]


def _checked(
    metric: Metric, row: Mapping[str, Score], metrics: tuple[Metric, ...], name: str
) -> Score:
    undeclared = sorted(set(row) - {m.name for m in metrics})
    if undeclared:
        return Score.unscored(f"{name} returned metrics it does not declare: {undeclared}")
    if metric.name not in row:
        return Score.unscored(f"{name} did not return {metric.name}")
    score = row[metric.name]
    if score.value is None:
        given = isinstance(score.reason, str) and score.reason
        return score if given else Score.unscored(f"{name} gave no reason")
    if score.reason is not None and not isinstance(score.reason, str):
        return Score.unscored(f"{name} gave a reason that is no text")
    value = float(score.value)
    ends = {metric.low, metric.high}
    if (
        not math.isfinite(value)
        or (metric.low is not None and value < metric.low)
        or (metric.high is not None and value > metric.high)
        or (metric.binary and value not in ends)
    ):
        # The gate's bounds rest on the declared range.
        return Score.unscored(f"{name} gave {metric.name} the impossible value {value}")
    return Score(value, score.reason)


def _unscored(metrics: tuple[Metric, ...], reason: str) -> dict[str, Score]:
    return {m.name: Score.unscored(reason) for m in metrics}
