"""What a rule is decided on: the values of one side, of pairs, or of two independent sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.compare.aligned import Bools, MetricInfo
from harness.compare.pairs import Pairs, Unpaired
from harness.stats.independent import difference_moments, independent_interval
from harness.stats.intervals import by_sample, difference_interval, own_interval
from harness.stats.mean import Codes, Floats, moments
from harness.stats.missing import (
    worst_difference_low,
    worst_independent_low,
    worst_own_bound,
)
from harness.stats.scale import Scale
from harness.types import Interval

Kind = Literal["own", "paired", "independent"]


@dataclass(frozen=True)
class Evidence:
    """The candidate's values, and where there is a reference its values too.

    Arrays (n,) by side, NaN where unscored; ``own`` has one side, ``paired`` two of one length,
    ``independent`` two of any length.
    """

    kind: Kind
    sides: tuple[Floats, ...]
    scale: Scale
    clusters: tuple[Codes, ...] | None
    """By side: what is not independent of each other; None: every sample is."""
    owners: tuple[Codes, ...] | None
    """By side: the sample of each value, where samples have several; None: each has one."""
    quantile: float | None = None
    anytime: bool = False
    """Whether the bounds must hold after every look (``--sequential``)."""

    @property
    def scored(self) -> tuple[Bools, ...]:
        known = tuple(~np.isnan(side) for side in self.sides)
        if self.kind == "paired":
            both = known[0] & known[1]
            return both, both
        return known

    @property
    def known(self) -> tuple[Floats, ...]:
        """The scored values of each side."""
        return tuple(side[mask] for side, mask in zip(self.sides, self.scored, strict=True))

    @property
    def n(self) -> int:
        """Scored pairs; of independent sides and of one side, scored values."""
        return self._count(self.scored)

    @property
    def n_unscored(self) -> int:
        return self._count(tuple(~mask for mask in self.scored))

    def _count(self, masks: tuple[Bools, ...]) -> int:
        counts = [int(mask.sum()) for mask in masks]
        return sum(counts) if self.kind == "independent" else counts[0]

    def samples(self, *, scored: bool = False) -> int:
        """How many samples the values (the scored ones) belong to; the lesser of two sides."""
        found = []
        for i, mask in enumerate(self.scored):
            kept = mask if scored else np.ones(len(mask), bool)
            if self.owners is None:
                found.append(int(kept.sum()))
            else:
                found.append(len(np.unique(self.owners[i][kept])))
        return min(found)

    def groups(self) -> int:
        """Clusters among the scored values; the lesser of two sides. Without clusters: samples."""
        if self.clusters is None:
            return self.samples(scored=True)
        pairs = zip(self.clusters, self.scored, strict=True)
        return min(len(np.unique(codes[mask])) for codes, mask in pairs)

    def estimate(self) -> float | None:
        """The mean, or the difference of means, over what is scored; None: a quantile, or none."""
        if self.quantile is not None or not all(mask.any() for mask in self.scored):
            return None
        means = [
            float(side[mask].mean()) for side, mask in zip(self.sides, self.scored, strict=True)
        ]
        if self.kind == "paired":
            return float((self.sides[0] - self.sides[1])[self.scored[0]].mean())
        return means[0] - means[1] if self.kind == "independent" else means[0]

    def interval(self, alpha: float) -> Interval:
        """Two-sided 1 - 2*alpha. Raises NoInterval."""
        clusters = None if self.clusters is None else self.clusters[0]
        owners = None if self.owners is None else self.owners[0]
        if self.kind == "own":
            return own_interval(
                self.sides[0],
                self.scale,
                alpha,
                clusters,
                self.quantile,
                owners=owners,
                anytime=self.anytime,
            )
        if self.kind == "paired":
            mine, theirs = self.sides
            return difference_interval(
                mine, theirs, self.scale, alpha, clusters, owners=owners, anytime=self.anytime
            )
        mine, theirs = self.sides
        return independent_interval(
            mine, theirs, self.scale, alpha, self._both_clusters, anytime=self.anytime
        )

    def worst(self, alpha: float, *, upper: bool = False) -> float:
        """The bound that decides SHIP, with every unscored value at its worst."""
        clusters = None if self.clusters is None else self.clusters[0]
        owners = None if self.owners is None else self.owners[0]
        if self.kind == "own":
            return worst_own_bound(
                self.sides[0],
                self.scale,
                alpha,
                clusters,
                self.quantile,
                upper=upper,
                owners=owners,
                anytime=self.anytime,
            )
        if self.kind == "paired":
            mine, theirs = self.sides
            return worst_difference_low(
                mine, theirs, self.scale, alpha, clusters, owners=owners, anytime=self.anytime
            )
        mine, theirs = self.sides
        return worst_independent_low(
            mine, theirs, self.scale, alpha, self._both_clusters, anytime=self.anytime
        )

    @property
    def _both_clusters(self) -> tuple[Codes, Codes] | None:
        # Answers to one sample are a cluster, so that independent sides need no owners.
        found = self.clusters if self.clusters is not None else self.owners
        return None if found is None else (found[0], found[1])

    def error(self) -> float | None:
        """Standard error, where Student's t would decide if there were enough samples."""
        bounded = self.scale.span is not None and not self.scale.binary
        alone = self.clusters is None or self.groups() == self.samples(scored=True)
        if self.quantile is not None or self.anytime or not alone or not bounded:
            return None
        kept = self.known
        if self.kind == "independent":
            return float(difference_moments((kept[0], kept[1])).error)
        values = kept[0] - kept[1] if self.kind == "paired" else kept[0]
        if self.owners is not None:
            values = by_sample(values, self.owners[0][self.scored[0]])
        return float(moments(values).error)


def from_pairs(pairs: Pairs, *, cluster: bool, anytime: bool) -> Evidence:
    return Evidence(
        "paired",
        (pairs.candidate, pairs.reference),
        pairs.scale,
        (pairs.clusters, pairs.clusters) if cluster and pairs.clusters is not None else None,
        None if pairs.owners is None else (pairs.owners, pairs.owners),
        anytime=anytime,
    )


def from_unpaired(sides: Unpaired, *, cluster: bool, anytime: bool) -> Evidence:
    return Evidence(
        "independent",
        (sides.candidate, sides.reference),
        sides.scale,
        sides.clusters if cluster else None,
        sides.owners,
        anytime=anytime,
    )


def from_own(
    values: Floats,
    info: MetricInfo,
    clusters: Codes | None,
    owners: Codes | None,
    *,
    anytime: bool,
) -> Evidence:
    return Evidence(
        "own",
        (values,),
        info.scale,
        None if clusters is None else (clusters,),
        None if owners is None else (owners,),
        info.quantile,
        anytime,
    )
