"""Splits samples into train and eval so that nothing asked was also taught."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data.duplicates import THRESHOLD, near_duplicates
from harness.errors import DataError, did_you_mean
from harness.types import Data, Document, Sample

By = str | Callable[[Sample], str] | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sample on neither side, and why."""

    id: str
    reason: Literal["duplicate", "group", "not drawn"]
    """``duplicate``: nearly the text of ``of``; ``group``: its group is on the eval side, which
    is full; ``not drawn``: more than ``n_train``."""
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Two sides without near-duplicates in or between them, in the order of the samples."""

    eval: tuple[Sample, ...]
    train: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]

    def data(self, corpus: Sequence[Document] = ()) -> Data:
        """What a task takes."""
        return Data(self.eval, self.train, tuple(corpus))

    @property
    def counts(self) -> Mapping[str, int]:
        """Samples on each side, and dropped for each reason."""
        dropped = Counter(str(d.reason) for d in self.dropped)
        return {"eval": len(self.eval), "train": len(self.train), **dropped}


def split(
    samples: Sequence[Sample],
    *,
    seed: int,
    n_eval: int,
    n_train: int | None = None,
    stratify: By = None,
    group: By = None,
    threshold: float = THRESHOLD,
) -> Split:
    """Draw ``n_eval`` samples to evaluate on, and ``n_train`` of the rest (None: all) to train.

    Of near-duplicates (``harness.data.duplicates``) one is kept. ``stratify`` (a metadata
    key, or a function of a sample) gives both sides the same shares. Samples of a ``group`` (the
    same; default: their cluster, where they have one) never lie on both sides. Who is drawn
    depends on seed and ids, not on the order of the samples, so that a few more samples do not
    redraw the rest. Raises DataError where there are too few samples.
    """
    for name, value in (("n_eval", n_eval), ("n_train", 1 if n_train is None else n_train)):
        if value < 1:
            raise DataError(f"The '{name}' parameter must be at least 1, got {value}.")
    _check_ids(samples)
    stands = near_duplicates([said(s) for s in samples], threshold=threshold)
    kept = [i for i, other in enumerate(stands) if other == i]
    strata = {i: _key(samples[i], stratify, "stratify") for i in kept}
    groups = {i: _group(samples[i], group) for i in kept}

    dropped = {
        i: Dropped(samples[i].id, "duplicate", samples[other].id)
        for i, other in enumerate(stands)
        if other != i
    }
    chosen, held = _draw_eval(kept, strata, groups, _shuffled(groups, seed), n_eval)
    dropped |= {i: Dropped(samples[i].id, "group") for i in held}
    left = [i for i in kept if i not in chosen and i not in held]
    wanted = len(left) if n_train is None else n_train
    order = sorted(left, key=lambda i: _hash(f"{seed}:{samples[i].id}"))
    taught = _draw(order, strata, wanted, "n_train")
    dropped |= {i: Dropped(samples[i].id, "not drawn") for i in left if i not in taught}
    return Split(
        eval=tuple(samples[i] for i in sorted(chosen)),
        train=tuple(samples[i] for i in sorted(taught)),
        dropped=tuple(dropped[i] for i in sorted(dropped)),
    )


def said(sample: Sample) -> str:
    """What tells a sample from others: its input, without a system prompt that all may share."""
    if isinstance(sample.input, str):
        return sample.input
    return "\n".join(turn["content"] for turn in sample.input if turn["role"] != "system")


def _draw_eval(
    kept: Sequence[int],
    strata: Mapping[int, str],
    groups: Mapping[int, str],
    order: Sequence[str],
    n: int,
) -> tuple[set[int], set[int]]:
    """Whole groups until ``n`` is reached: those chosen, and those held back with their group."""
    left = _quotas(Counter(strata[i] for i in kept), n, "n_eval")
    members: dict[str, list[int]] = defaultdict(list)
    for i in kept:
        members[groups[i]].append(i)
    chosen: set[int] = set()
    held: set[int] = set()
    for name in order:
        if not any(left[strata[i]] for i in members[name]):
            continue
        for i in members[name]:
            side = chosen if left[strata[i]] else held
            side.add(i)
            left[strata[i]] -= side is chosen
    return chosen, held


def _draw(order: Sequence[int], strata: Mapping[int, str], n: int, what: str) -> set[int]:
    left = _quotas(Counter(strata[i] for i in order), n, what)
    chosen: set[int] = set()
    for i in order:
        if left[strata[i]]:
            chosen.add(i)
            left[strata[i]] -= 1
    return chosen


def _quotas(counts: Mapping[str, int], n: int, what: str) -> dict[str, int]:
    """``n`` shared out in proportion to ``counts``, by largest remainders."""
    total = sum(counts.values())
    if n > total:
        raise DataError(
            f"{what} = {n}, but only {total} samples are left without near-duplicates "
            "(and groups of the other side). Ask for fewer."
        )
    quotas = {key: n * count // total for key, count in counts.items()} if total else {}
    rest = sorted(counts, key=lambda key: (-(n * counts[key] % total), key))
    for key in rest[: n - sum(quotas.values())]:
        quotas[key] += 1
    return quotas


def _shuffled(groups: Mapping[int, str], seed: int) -> list[str]:
    return sorted(set(groups.values()), key=lambda name: _hash(f"{seed}:{name}"))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _group(sample: Sample, group: By) -> str:
    if group is not None:
        return f"group:{_key(sample, group, 'group')}"
    return f"sample:{sample.id}" if sample.cluster is None else f"cluster:{sample.cluster}"


def _key(sample: Sample, by: By, what: str) -> str:
    if by is None:
        return ""
    if callable(by):
        return str(by(sample))
    if by not in sample.metadata:
        raise DataError(
            f"{what} = '{by}', but sample '{sample.id}' has no such metadata."
            f"{did_you_mean(by, sample.metadata)}"
        )
    return str(sample.metadata[by])


def _check_ids(samples: Sequence[Sample]) -> None:
    for name, count in Counter(s.id for s in samples).items():
        if count > 1:
            raise DataError(f"{count} samples have the id '{name}'. Ids must be unique.")
