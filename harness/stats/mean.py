"""Student's t interval of a mean, plain and cluster-robust."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from harness.types import Interval

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def standard_error(values: Floats, clusters: Codes | None = None) -> float:
    """Standard error of the mean of ``values`` (n,), n >= 2.

    With ``clusters`` (n,) of integer codes: the cluster-robust (sandwich) error with the
    small-sample factor G / (G - 1), as in Cameron & Miller (2015), "A Practitioner's Guide to
    Cluster-Robust Inference", section II. Clusters of one sample each give the plain error.
    """
    residuals = values - values.mean()
    if clusters is not None:
        residuals = np.bincount(clusters, weights=residuals)[np.unique(clusters)]
    groups = len(residuals)
    return math.sqrt(groups / (groups - 1) * float(residuals @ residuals)) / len(values)


def t_critical(df: int, alpha: float) -> float:
    """The 1 - ``alpha`` quantile of Student's t with ``df`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - alpha))


def mean_interval(values: Floats, alpha: float, clusters: Codes | None = None) -> Interval:
    """Two-sided 1 - 2*alpha t interval of the mean of ``values`` (n,), n >= 2.

    Degrees of freedom: n - 1, or the number of clusters less one.
    """
    units = len(values) if clusters is None else len(np.unique(clusters))
    mean = float(values.mean())
    half = t_critical(units - 1, alpha) * standard_error(values, clusters)
    method = "Student's t" if clusters is None else f"cluster-robust t ({units} clusters)"
    return Interval(mean, mean - half, mean + half, 1 - 2 * alpha, len(values), method)
