"""The mean of values that are independent only between clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.stats.constant import unseen_share
from harness.stats.lattice import half_step
from harness.stats.mean import (
    Codes,
    Floats,
    Moments,
    mirrored,
    moments,
    skewness,
    t_critical,
    t_low,
)
from harness.types import Interval


def cluster_interval(values: Floats, clusters: Codes, alpha: float) -> Interval:
    """Two-sided 1 - 2*alpha interval of the mean of ``values`` (n,) in ``clusters`` (n,).

    Student's t on the cluster jackknife (``cluster_moments``), widened for skewness and for values
    on few steps; and no bound nearer the mean than clusters that did not show may bring it
    (``unseen_clusters``).
    """
    found = cluster_moments(values, clusters)
    step = half_step(values) / len(values)
    reach = unseen_clusters(values, clusters, alpha)
    low = min(float(t_low(found, alpha)) - step, found.mean - reach)
    high = max(-float(t_low(mirrored(found), alpha)) + step, found.mean + reach)
    method = f"cluster-robust t ({len(np.unique(clusters))} clusters)"
    return Interval(found.mean, low, high, 1 - 2 * alpha, len(values), method)


def cluster_moments(values: Floats, clusters: Codes) -> Moments:
    """Of ``values`` (n,) that are independent only between ``clusters`` (n,) of integer codes.

    The error is the cluster jackknife, CR3, which MacKinnon, Nielsen & Webb (2023, Journal of
    Econometrics 232:272-299) recommend for few and unequal clusters. Degrees of freedom: one less
    than the effective number of clusters of Carter, Schnepel & Steigerwald (2017, Review of
    Economics and Statistics 99:698-709) at full correlation, (sum of sizes)^2 / sum of sizes^2;
    that is G - 1 where all sizes are equal.
    """
    parts, sizes = influences(values - values.mean(), clusters)
    groups = len(parts)
    squares = float(parts @ parts)
    return Moments(
        float(values.mean()),
        math.sqrt((groups - 1) / groups * squares),
        float(skewness(np.float64((parts**3).sum()), np.float64(squares))),
        effective_clusters(sizes) - 1,
    )


def influences(residuals: Floats, clusters: Codes) -> tuple[Floats, Floats]:
    """(G,) what leaving a cluster out does to the mean, and (G,) the clusters' sizes."""
    codes = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    return np.bincount(codes, weights=residuals) / (len(residuals) - sizes), sizes


def effective_clusters(sizes: Floats) -> float:
    return float(sizes.sum() ** 2 / (sizes**2).sum())


@dataclass(frozen=True)
class Effective:
    """Clustered binary values as fewer independent ones, for an interval of counts.

    Counts and sample size are divided by the design effect, and the normal quantile gives way to
    Student's, as Korn & Graubard (1998, Survey Methodology 24:193-201) have it for Clopper and
    Pearson's interval: near 0 and 1 it keeps a tail that Student's t on the means does not have.
    """

    shrink: float
    """One over the design effect; at most 1."""
    alpha: float
    """At which the normal quantile is Student's at the alpha asked for."""


def effective(values: Floats, clusters: Codes, alpha: float) -> Effective:
    """Of binary ``values`` or their differences (n,). Where no cluster differs from another, each
    counts once."""
    found = cluster_moments(values, clusters)
    if found.error <= 1e-12:
        ratio = len(np.unique(clusters)) / len(values)
    else:
        ratio = (float(moments(values).error) / found.error) ** 2
    return Effective(min(1.0, ratio), student_alpha(found.df, alpha))


def student_alpha(df: float, alpha: float) -> float:
    """The one-sided level at which the normal quantile is Student's at ``alpha``."""
    from scipy.special import ndtr

    return float(ndtr(-t_critical(df, alpha)))


def unseen_clusters(values: Floats, clusters: Codes, alpha: float) -> float:
    """How far the mean moves where the unseen share of clusters is as far out as the farthest seen.

    A share q of the clusters shows in none of G with probability (1 - q)^G. With few clusters of
    which most do not differ at all, Student's t errs at up to 0.08 without this. It does not bind
    where clusters vary evenly, and it cannot know of harm larger than any that was seen.
    """
    sums = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=values - values.mean())
    groups = len(sums)
    return unseen_share(groups, alpha) * groups * float(np.abs(sums).max()) / len(values)
