"""What a run must be for its numbers to mean something, and what to say where it just about is.

A check raises ``Stop`` with the status to give and the reason; a caution is a sentence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.compare.aligned import Bools, MetricInfo, TaskData
from harness.compare.comparisons import MIN_CLUSTERS
from harness.compare.pairs import Pairs, Unpaired, slice_conflict
from harness.gate.evidence import Evidence
from harness.stats.constant import unseen_share
from harness.stats.mean import Codes, Floats
from harness.stats.scale import NoInterval, Scale
from harness.types import Interval, Rule, RuleResult, Status

FEW_CLUSTERS = 60
"""From this many clusters on, harm to 1 in 20 of them shows in at least one, at alpha 0.05."""


@dataclass(frozen=True)
class Place:
    """Where a rule is held: a task, all of it or a slice, and a reference (guardrail: none)."""

    task: TaskData
    versus: str | None
    slice: str | None = None
    key: str | None = None
    """The metadata key of the slice."""
    keep: Bools | None = None
    """(S,) the samples of the slice."""


class Stop(Exception):
    """Ends a ruling with a status and its reason."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def check_same(place: Place, candidate: str, pairs: Pairs) -> None:
    versus = str(place.versus)
    differs = list(pairs.differs)
    if place.key is not None:
        conflict = slice_conflict(place.task, place.key, candidate, versus)
        differs += [conflict] if conflict else []
    if differs:
        raise Stop(
            Status.INVALID,
            "the two sides did not answer the same questions: " + "; ".join(differs),
        )
    _check_told(place, candidate, versus)


def _check_told(place: Place, candidate: str, versus: str) -> None:
    """A measured run tells every input and target: one that is not there was taken away."""
    rows = [place.task.row(candidate), place.task.row(versus)]
    answered = place.task.present[rows].all(axis=0)
    if place.keep is not None:
        answered &= place.keep
    for column in ("input", "target"):
        untold = int(((place.task.codes[column][rows] < 0).any(axis=0) & answered).sum())
        if place.task.measured and untold:
            raise Stop(
                Status.INVALID,
                f"the run does not tell the {column} of {untold} samples, so nothing shows that "
                "both sides answered the same; measure again",
            )


def check_complete(place: Place, info: MetricInfo, *sides: tuple[str, ...]) -> None:
    """Raises Stop where a measured run has fewer samples than it says, or does not say.

    ``sides``: variants of which one at least must have each sample.
    """
    task = place.task
    if not task.measured:
        return
    if info.higher_is_better is None:
        raise Stop(
            Status.INVALID,
            f"run.json does not say what {info.name} means in task '{task.name}'; measure again",
        )
    if task.expected is None:
        raise Stop(
            Status.INVALID,
            f"run.json does not say how many samples task '{task.name}' has; measure again",
        )
    for variants in sides:
        found = int(task.touched[[task.row(v) for v in variants]].any(axis=0).sum())
        if found < task.expected:
            these = "these variants have" if len(variants) > 1 else f"'{variants[0]}' has"
            raise Stop(
                Status.INVALID,
                f"the run says {task.expected} answers and {these} {found}: samples are lost; "
                "measure again",
            )


def check_information(known: tuple[Floats, ...], identical: bool | None) -> None:
    """Raises Stop where both sides are one constant and their outputs are not one and the same."""
    values = np.concatenate(known)
    if values.min() == values.max() and identical is not True:
        what = "differ" if identical is False else "are not all known"
        raise Stop(
            Status.INVALID,
            f"both sides score {abs(values[0]):g} on every sample while their outputs {what}: "
            "the metric tells nothing about them; check the scorer or use another metric",
        )


def check_counts(rule: Rule, row: RuleResult, place: Place, evidence: Evidence) -> None:
    total, scored = row.n + row.n_unscored, evidence.samples(scored=True)
    small = f"the slice has {{}} samples, and 'min_samples' is {rule.min_samples}"
    if place.slice is not None and evidence.samples() < rule.min_samples:
        raise Stop(Status.INCONCLUSIVE, small.format(evidence.samples()))
    if total and row.n_unscored / total > rule.max_unscored:
        raise Stop(
            Status.INVALID,
            f"{row.n_unscored} of {total} samples are unscored ({row.n_unscored / total:.1%}), "
            f"and 'max_unscored' is {rule.max_unscored:.1%}",
        )
    if scored < rule.min_samples:
        if place.slice is not None:
            raise Stop(Status.INCONCLUSIVE, small.format(scored))
        answers = f" (with {row.n} answers)" if evidence.owners is not None else ""
        raise Stop(
            Status.INVALID,
            f"{scored} scored samples{answers}, and 'min_samples' is {rule.min_samples}",
        )


def check_judge(rule: Rule, info: MetricInfo) -> None:
    if info.judge and not info.calibrated and not rule.advisory:
        why = f" ({info.uncalibrated})" if info.uncalibrated else ""
        raise Stop(
            Status.INVALID,
            f"a judge's metric without a valid calibration proves nothing{why}; calibrate the "
            "judge against human labels (harness judge calibrate), or say 'advisory = true'",
        )


def checked_interval(evidence: Evidence, row: RuleResult, place: Place) -> Interval:
    """The interval. Raises Stop where the values support none."""
    _check_range(evidence.sides, evidence.scale)
    grouped = evidence.clusters is not None or evidence.owners is not None
    groups = evidence.groups()
    if grouped and groups < MIN_CLUSTERS:
        if evidence.owners is not None and groups == evidence.samples(scored=True):
            wrong = f"the answers are to {groups} samples"
            remedy = "measure more samples"
        else:
            wrong = f"the samples come from {groups} clusters"
            remedy = "say 'cluster = false' only if they are independent all the same"
        raise Stop(
            Status.INVALID,
            f"{wrong}, and a cluster-robust bound needs {MIN_CLUSTERS}; {remedy}",
        )
    if evidence.anytime and evidence.clusters is not None and place.task.split_cluster is not None:
        raise Stop(
            Status.INVALID,
            f"the cluster '{place.task.split_cluster}' has samples in several batches, and a bound "
            "that holds at every look needs each cluster whole in one; put it into one batch, or "
            "say 'cluster = false' only if its samples are independent all the same",
        )
    if row.n_unscored and evidence.scale.span is None and evidence.quantile is None:
        raise Stop(
            Status.INVALID,
            f"{row.n_unscored} samples are unscored and the metric has no known range, so nothing "
            "bounds what they hide; score them, or give 'bounds = [least, greatest]'",
        )
    try:
        interval = evidence.interval(row.alpha)
    except NoInterval as error:
        raise Stop(Status.INVALID, str(error)) from error
    if not math.isfinite(interval.estimate) or math.isnan(interval.low + interval.high):
        raise Stop(Status.INVALID, "the values are too large to be averaged")
    return interval


def _check_range(sides: tuple[Floats, ...], scale: Scale) -> None:
    values = np.concatenate([side[~np.isnan(side)] for side in sides])
    slack = 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))
    for end, outside in (
        (scale.low, values < (scale.low or 0.0) - slack),
        (scale.high, values > (scale.high or 0.0) + slack),
    ):
        if end is not None and outside.any():
            raise Stop(
                Status.INVALID,
                f"the value {abs(values[outside][0]):g} lies outside the metric's range "
                f"({abs(end):g}); give 'bounds' that hold, or correct the scorer",
            )
    if scale.binary and not ((values == scale.low) | (values == scale.high)).all():
        raise Stop(Status.INVALID, "the metric is said to be binary and has other values")


def cautions(
    rule: Rule, candidate: str, place: Place, pairs: Pairs, row: RuleResult
) -> tuple[str, ...]:
    where = f"task '{place.task.name}'" + (f", {place.slice}" if place.slice else "")
    found = []
    if pairs.unknown and place.slice is None:
        found.append(
            f"{where}: the inputs and targets of {pairs.unknown} of {row.n + row.n_unscored} "
            f"samples are not known for both '{candidate}' and '{place.versus}', so that both "
            "answered the same questions rests on the sample ids."
        )
    known = (pairs.candidate[pairs.scored], pairs.reference[pairs.scored])
    found += _constant_sides(rule, candidate, place, where, known)
    return (*found, *cluster_caution(rule, place, pairs.clusters, pairs.owners))


def _constant_sides(
    rule: Rule, candidate: str, place: Place, where: str, known: tuple[Floats, ...]
) -> list[str]:
    return [
        f"{where}: '{name}' has one and the same {rule.metric} ({abs(values[0]):g}) on every "
        "sample. Check that it was measured and scored as meant."
        for name, values in zip((candidate, str(place.versus)), known, strict=True)
        if len(values) and values.min() == values.max()
    ]


def cluster_caution(
    rule: Rule, place: Place, clusters: Codes | None, owners: Codes | None
) -> tuple[str, ...]:
    if rule.cluster or clusters is None:
        return ()
    if owners is not None and len(np.unique(clusters)) == len(np.unique(owners)):
        return ()
    return (
        f"task '{place.task.name}': {rule.metric} is judged with 'cluster = false', as if samples "
        "of one cluster were independent.",
    )


def guessed_range(rule: Rule, row: RuleResult, info: MetricInfo) -> tuple[str, ...]:
    """What an imported metric's unscored values are taken to be at worst."""
    guessed = info.imported and rule.bounds is None and info.scale.span is not None
    if not guessed or not row.n_unscored:
        return ()
    return (
        f"task '{row.task}': {row.n_unscored} values of {info.name} are unscored, and that they "
        f"lie from {info.scale.low:g} to {info.scale.high:g} is read off the others. Give 'bounds' "
        "if they may not.",
    )


def few_clusters(row: RuleResult, evidence: Evidence) -> tuple[str, ...]:
    """What a SHIP on few clusters cannot know."""
    groups = evidence.groups()
    alone = evidence.clusters is None or groups == evidence.samples(scored=True)
    if alone or row.status is not Status.SHIP or groups >= FEW_CLUSTERS or not row.gating:
        return ()
    share = unseen_share(groups, row.alpha)
    return (
        f"task '{row.task}': {row.metric} rests on {groups} clusters. Harm that strikes fewer than "
        f"1 in {max(1, round(1 / share))} of them may show in none.",
    )


def independent_cautions(
    rule: Rule, candidate: str, place: Place, sides: Unpaired, known: tuple[Floats, ...]
) -> tuple[str, ...]:
    where = f"task '{place.task.name}'" + (f", {place.slice}" if place.slice else "")
    said = (
        f"{where}: '{candidate}' and '{place.versus}' are compared as independent samples. The "
        "verdict holds if chance alone decided who saw which."
    )
    clusters = None if sides.clusters is None else np.concatenate(sides.clusters)
    owners = None if sides.owners is None else np.concatenate(sides.owners)
    constant = _constant_sides(rule, candidate, place, where, known)
    return (said, *constant, *cluster_caution(rule, place, clusters, owners))
