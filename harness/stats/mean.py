"""Student's t for a mean, widened for skewness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


_SECOND_ORDER = 1.15
"""The first-order correction alone leaves errors of up to 0.0545 at 0.05, by simulation."""


@dataclass(frozen=True)
class Moments:
    """What Student's t needs of a sample; each entry a number or an array of them."""

    mean: Any
    error: Any
    """Standard error of the mean."""
    skew: Any
    """Skewness of the mean: sum of cubes over (sum of squares)^1.5 of the contributions."""
    df: float
    """Degrees of freedom."""


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


def moments(values: Floats) -> Moments:
    """Of independent ``values`` (..., n), n >= 2, along the last axis."""
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    residuals = values - mean[..., None]
    squares = residuals * residuals
    total = squares.sum(axis=-1)
    return Moments(
        mean,
        np.sqrt(total / (n - 1) / n),
        skewness((squares * residuals).sum(axis=-1), total),
        n - 1,
    )


def skewness(cubes: Any, squares: Any) -> Any:
    """Of the mean, from sums of cubes and squares of its parts; never beyond 1."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.clip(np.nan_to_num(cubes / squares**1.5), -1.0, 1.0)


def t_critical(df: float, alpha: float) -> float:
    """The 1 - ``alpha`` quantile of Student's t with ``df`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - alpha))


def low_reach(found: Moments, alpha: float) -> Any:
    """How many standard errors the lower bound lies below the mean.

    Student's t errs, at first order in 1 / sqrt(n), by skewness * (2 z^2 + 1) / 6 * phi(z) (Hall
    1992, "The Bootstrap and Edgeworth Expansion", section 2.6; Johnson 1978, JASA 73:536-544):
    the bound is moved outwards by as much where skewness makes it too short, and never inwards.
    """
    return t_critical(found.df, alpha) + np.maximum(0.0, -found.skew) * skew_widening(alpha)


def skew_widening(alpha: float) -> float:
    """Standard errors by which one unit of skewness moves a bound."""
    from scipy.special import ndtri

    z = float(ndtri(1 - alpha))
    return _SECOND_ORDER * (2 * z * z + 1) / 6


def t_low(found: Moments, alpha: float) -> Any:
    """One-sided lower bound of the mean at ``alpha``."""
    return found.mean - low_reach(found, alpha) * found.error


def mirrored(found: Moments) -> Moments:
    """Of the negated values."""
    return Moments(-found.mean, found.error, -found.skew, found.df)
