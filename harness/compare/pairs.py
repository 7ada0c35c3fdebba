"""Two variants of one task, paired by sample: the values and what must match beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from harness.compare.aligned import Bools, MetricInfo, TaskData
from harness.errors import RunError
from harness.stats.mean import Codes, Floats
from harness.stats.scale import Scale


@dataclass(frozen=True)
class Pairs:
    """n pairs: every sample that either side has, sorted by id."""

    candidate: Floats
    """(n,) oriented so that higher is better; NaN: unscored, or this side lacks the sample."""
    reference: Floats
    scale: Scale
    """Of the oriented values."""
    clusters: Codes | None
    """(n,); None: no two samples share a cluster."""
    owners: Codes | None
    """(n,) with repeated answers: the sample of each; None: each answer has its own."""
    identical: bool | None
    """Both sides gave the same output to every sample; None: not known."""
    differs: tuple[str, ...]
    """What should be the same on both sides and is not."""
    unknown: int
    """Pairs whose input or target one side does not tell."""

    @property
    def scored(self) -> Bools:
        return ~np.isnan(self.candidate) & ~np.isnan(self.reference)


def pair(
    task: TaskData,
    candidate: str,
    reference: str,
    info: MetricInfo,
    *,
    higher: bool = True,
    keep: Bools | None = None,
) -> Pairs:
    """``candidate`` and ``reference`` on ``info``'s metric, over the samples in ``keep`` (S,)."""
    c, r = task.row(candidate), task.row(reference)
    either = task.touched[c] | task.touched[r]
    at = np.flatnonzero(either if keep is None else either & keep)
    values = task.values[info.name]
    sign = 1.0 if higher else -1.0
    outputs = task.codes["output"]
    mine, theirs = outputs[c, at], outputs[r, at]
    return Pairs(
        sign * values[c, at],
        sign * values[r, at],
        info.scale if higher else info.scale.flipped(),
        clusters_of(task, (c, r), at),
        owners_of(task, at),
        _identical(mine, theirs),
        _differences(task, c, r, at),
        _unknown(task, c, r, at),
    )


@dataclass(frozen=True)
class Unpaired:
    """Two variants of one task that answered samples of their own."""

    candidate: Floats
    """(n,) oriented so that higher is better; NaN: unscored."""
    reference: Floats
    """(m,)"""
    scale: Scale
    clusters: tuple[Codes, Codes] | None
    """By side, of one numbering; None: no two answers share one."""
    owners: tuple[Codes, Codes] | None
    """By side, with repeated answers: the sample of each."""


def unpaired(
    task: TaskData,
    candidate: str,
    reference: str,
    info: MetricInfo,
    *,
    higher: bool = True,
    keep: Bools | None = None,
) -> Unpaired:
    """Every sample that each of the two has (of those in ``keep`` (S,)), as independent samples.

    A sample that both have is one cluster: its two answers are not independent.
    """
    sign = 1.0 if higher else -1.0
    values, clusters, owners = [], [], []
    named = task.codes["cluster"].max(initial=-1) + 1
    for row in (task.row(candidate), task.row(reference)):
        at = np.flatnonzero(task.touched[row] if keep is None else task.touched[row] & keep)
        values.append(sign * task.values[info.name][row, at])
        sample = at if task.owners is None else task.owners[at]
        code = task.codes["cluster"][row, at]
        # A sample without a cluster is its own, numbered after all that are named.
        clusters.append(np.where(code < 0, named + sample, code))
        owners.append(sample)
    together, count = _by_first(np.concatenate(clusters))
    alone = count == len(together)
    split = len(clusters[0])
    return Unpaired(
        values[0],
        values[1],
        info.scale if higher else info.scale.flipped(),
        None if alone else (together[:split], together[split:]),
        None if task.owners is None else (owners[0], owners[1]),
    )


def own(
    task: TaskData, variant: str, info: MetricInfo, keep: Bools | None = None
) -> tuple[Floats, Codes | None, Codes | None]:
    """One variant's values, clusters and owners (as in ``Pairs``) over the samples that the metric
    was asked of; one it lacks is unscored."""
    asked = task.asked(info.name)
    at = np.flatnonzero(asked if keep is None else asked & keep)
    rows = (task.row(variant), *range(len(task.variants)))
    values = task.values[info.name][task.row(variant), at]
    return values, clusters_of(task, rows, at), owners_of(task, at)


def slices(task: TaskData, key: str, variants: tuple[str, ...]) -> list[tuple[str, Bools]]:
    """``key=value`` and its samples (S,), for each value among the samples of ``variants``.

    A sample's value is that of the first of ``variants`` that tells it.
    """
    labels, codes = _slice_codes(task, key)
    rows = [task.row(v) for v in variants]
    code = _first_known(codes, rows, np.arange(len(task.samples)))
    touched = task.touched[rows].any(axis=0)
    # A lost row may have been the one that told the label: its sample counts everywhere.
    lost = (code == -1) & touched & ~task.touched[rows].all(axis=0)
    found = [(label, ((code == i) & touched) | lost) for i, label in enumerate(labels)]
    untold = (_not_given(key), (code == -1) & touched)
    return [(label, mask) for label, mask in (*found, untold) if mask.any()]


def has_key(task: TaskData, key: str) -> bool:
    """Whether the metadata of any sample have this key."""
    return bool(_slice_codes(task, key)[0])


def metadata_keys(task: TaskData) -> set[str]:
    return {key for text in task.metadata for key in _object(text)}


def slice_conflict(task: TaskData, key: str, candidate: str, reference: str) -> str | None:
    """Which sample has one value of ``key`` on one side and another on the other."""
    codes = _slice_codes(task, key)[1]
    a, b = codes[task.row(candidate)], codes[task.row(reference)]
    return _difference(task, f"metadata '{key}'", a, b, np.arange(len(task.samples)))


def clusters_of(task: TaskData, rows: tuple[int, ...], at: Codes) -> Codes | None:
    """(n,) cluster codes; a sample without one is its own (with all answers to it). None where
    no two answers share one."""
    code = _first_known(task.codes["cluster"], list(rows), at)
    alone = code < 0
    own = np.arange(len(code)) if task.owners is None else task.owners[at]
    named = code.max(initial=-1) + 1
    # A lost row may have been the one that told the cluster: all such samples may be of one.
    lost = alone & (named > 0) & ~task.touched[list(rows)][:, at].all(axis=0)
    code = np.where(alone, named + 1 + own, code)
    code = np.where(lost, named, code)
    code, count = _by_first(code)
    return None if count == len(code) else code


def _by_first(codes: Codes) -> tuple[Codes, int]:
    """The codes numbered by where each stands first, as sums must not depend on the order of the
    rows, and how many there are."""
    _, first, code = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[code], len(first)


def owners_of(task: TaskData, at: Codes) -> Codes | None:
    """(n,) the sample of each answer, where samples have several; None where each has one."""
    return None if task.owners is None else task.owners[at]


def _first_known(codes: Codes, rows: list[int], at: Codes) -> Codes:
    code = np.full(len(at), -1, np.int64)
    for row in rows:
        code = np.where(code < 0, codes[row, at], code)
    return code


def _identical(mine: Codes, theirs: Codes) -> bool | None:
    known = (mine >= 0) & (theirs >= 0)
    if (mine[known] != theirs[known]).any():
        return False
    return True if known.all() else None


def _differences(task: TaskData, c: int, r: int, at: Codes) -> tuple[str, ...]:
    found = (
        _difference(task, column, task.codes[column][c, at], task.codes[column][r, at], at)
        for column in ("input", "target", "cluster")
    )
    return tuple(text for text in found if text)


def _difference(task: TaskData, what: str, mine: Codes, theirs: Codes, at: Codes) -> str | None:
    unequal = (mine >= 0) & (theirs >= 0) & (mine != theirs)
    if not unequal.any():
        return None
    first = task.samples[int(at[np.flatnonzero(unequal)[0]])].as_py()
    return f"{what} differs on {int(unequal.sum())} of {len(at)} samples, the first '{first}'"


def _unknown(task: TaskData, c: int, r: int, at: Codes) -> int:
    rows = np.array([c, r])[:, None]
    told = (task.codes["input"][rows, at] >= 0) & (task.codes["target"][rows, at] >= 0)
    return int((~told).any(axis=0).sum())


def _slice_codes(task: TaskData, key: str) -> tuple[list[str], Codes]:
    """Sorted labels, and (V, S) the label of each row, -1 where its metadata lack the key."""
    if key not in task.slices:
        labels = [_label(key, _object(text)) for text in task.metadata]
        names = sorted({label for label in labels if label is not None})
        place = {label: i for i, label in enumerate(names)}
        # One entry more: the code -1 (no metadata) finds it at the end.
        table = np.array([-1 if x is None else place[x] for x in labels] + [-1], np.int64)
        task.slices[key] = names, table[task.codes["metadata"]]
    return task.slices[key]


def _label(key: str, metadata: dict[str, object]) -> str | None:
    value = metadata.get(key)
    if value is None:
        return None
    return f"{key}={value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"


def _not_given(key: str) -> str:
    return f"{key} not given"


def _object(text: str | None) -> dict[str, object]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RunError(f"The column 'metadata' holds {text[:80]!r}, which is no JSON object.")
    return value
