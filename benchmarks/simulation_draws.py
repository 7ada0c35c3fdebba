"""Paired differences to draw: each family has exactly the mean it is asked for.

So the null is simulated on its boundary, and power at a known effect, by the same code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr

Draw = Callable[[np.random.Generator, tuple[int, int], float], np.ndarray]
"""(stream, shape (repetitions, n), mean) -> differences."""


@dataclass(frozen=True)
class Family:
    name: str
    draw: Draw
    null: tuple[float, ...]
    """Thresholds at which the null is simulated: a margin, or a negated one."""


def symmetric(
    rng: np.random.Generator, shape: tuple[int, int], mean: float, sd: float = 0.05
) -> np.ndarray:
    return mean + sd * np.clip(rng.standard_normal(shape), -4, 4)


def skewed(
    rng: np.random.Generator,
    shape: tuple[int, int],
    mean: float,
    sigma: float = 1.0,
    scale: float = 0.05,
    cut: float = 12.0,
    sign: float = -1.0,
) -> np.ndarray:
    """A lognormal, negated unless ``sign`` is 1, cut off at ``cut``, moved to the mean."""
    drawn = np.minimum(np.exp(sigma * rng.standard_normal(shape)), cut)
    below = (math.log(cut) - sigma**2) / sigma if math.isfinite(cut) else math.inf
    expected = math.exp(sigma**2 / 2) * float(ndtr(below))
    if math.isfinite(cut):
        expected += cut * float(ndtr(-math.log(cut) / sigma))
    return mean + sign * scale * (drawn - expected)


def rare(
    rng: np.random.Generator,
    shape: tuple[int, int],
    mean: float,
    share: float,
    loss: float = -1.0,
    noise: float = 0.0,
) -> np.ndarray:
    """A ``share`` of the samples at ``loss``; the rest about the value that makes the mean."""
    rest = (mean - share * loss) / (1 - share)
    body = rest + noise * (2 * rng.random(shape) - 1) if noise else np.full(shape, rest)
    return np.where(rng.random(shape) < share, loss, body)


def rouge_like(
    rng: np.random.Generator, shape: tuple[int, int], mean: float, spread: float = 8.0
) -> np.ndarray:
    """Two Beta scores of samples of unequal difficulty; the candidate's are moved."""
    q = np.clip(rng.beta(2, 3, shape), 1e-3, 1 - 1e-3)
    moved = q * (1 + mean / 0.4) if mean < 0 else q + (1 - q) * mean / 0.6
    return rng.beta(spread * moved, spread * (1 - moved)) - rng.beta(spread * q, spread * (1 - q))


def mostly_ties(
    rng: np.random.Generator, shape: tuple[int, int], mean: float, other: Draw, ties: float = 0.8
) -> np.ndarray:
    return np.where(rng.random(shape) < ties, 0.0, other(rng, shape, mean / (1 - ties)))


def bounded_families() -> list[Family]:
    """Differences within [-1, 1]."""
    usual = (-0.02, 0.0, 0.02)
    heavy = partial(skewed, sigma=1.5, scale=0.03, cut=25.0)
    found = [
        Family("symmetric small noise", symmetric, usual),
        Family("skewed down (lognormal, sigma 1)", skewed, usual),
        Family("skewed down (lognormal, sigma 1.5)", heavy, usual),
        Family("skewed up (lognormal, sigma 1)", partial(skewed, sign=1.0), usual),
        Family("ROUGE-like", rouge_like, usual),
        Family("80% ties, rest ROUGE-like", partial(mostly_ties, other=rouge_like), usual),
        Family("80% ties, rest skewed down", partial(mostly_ties, other=skewed), usual),
    ]
    found.append(Family("harm 10%, rest ties", partial(rare, share=0.1), (-0.1,)))
    for share in (0.005, 0.01, 0.02, 0.05):
        named = f"{100 * share:g}%"
        found += [
            Family(f"rare harm {named}, rest ties", partial(rare, share=share), (-share,)),
            Family(
                f"rare harm {named}, rest noise", partial(rare, share=share, noise=0.05), (-share,)
            ),
            Family(
                f"rare harm {named} behind a small gain",
                partial(rare, share=share, noise=0.002),
                (0.0,),
            ),
            Family(
                f"rare gain {named}, rest noise",
                partial(rare, share=share, loss=1.0, noise=0.05),
                (share, -0.02),
            ),
        ]
    return found


def unbounded_families() -> list[Family]:
    """Differences without a range: nothing can be promised, so it is only reported."""
    endless = partial(skewed, scale=1.0, cut=math.inf)
    return [
        Family("skewed down (lognormal, sigma 0.5)", partial(endless, sigma=0.5), (0.0,)),
        Family("skewed down (lognormal, sigma 1)", partial(endless, sigma=1.0), (0.0,)),
        Family("skewed down (lognormal, sigma 1.5)", partial(endless, sigma=1.5), (0.0,)),
        Family("skewed up (lognormal, sigma 1)", partial(endless, sigma=1.0, sign=1.0), (0.0,)),
        Family("normal", partial(symmetric, sd=1.0), (0.0,)),
        Family("Student's t, 3 degrees of freedom", heavy_tailed, (0.0,)),
    ]


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, int], mean: float) -> np.ndarray:
    return mean + rng.standard_t(3, shape)


def clustered_losses(
    rng: np.random.Generator, r: int, sizes: np.ndarray, mean: float, icc: float
) -> np.ndarray:
    """The reference is always right; each cluster has its own chance of a lost pair (Beta)."""
    weight = (1 - icc) / icc
    chances = rng.beta(-mean * weight, (1 + mean) * weight, (r, len(sizes)))
    lost = np.repeat(chances, sizes, axis=1)
    return -(rng.random(lost.shape) < lost).astype(float)


def cluster_sizes(clusters: int, equal: bool, mean_size: int = 10) -> np.ndarray:
    """Equal, or the quantiles of a lognormal (sigma 1): a few clusters hold most samples."""
    if equal:
        return np.full(clusters, mean_size)
    from scipy.special import ndtri

    drawn = np.exp(ndtri((np.arange(clusters) + 0.5) / clusters))
    return np.maximum(1, np.round(drawn * mean_size / drawn.mean())).astype(int)


def clustered_continuous(
    rng: np.random.Generator, r: int, sizes: np.ndarray, mean: float, icc: float
) -> np.ndarray:
    """Uniform cluster effects and uniform noise; standard deviation 0.2, within [-0.6, 0.6]."""
    width = math.sqrt(3)
    effects = np.repeat(rng.uniform(-width, width, (r, len(sizes))), sizes, axis=1)
    noise = rng.uniform(-width, width, (r, int(sizes.sum())))
    return mean + 0.2 * (math.sqrt(icc) * effects + math.sqrt(1 - icc) * noise)


def clustered_binary(
    rng: np.random.Generator,
    r: int,
    sizes: np.ndarray,
    mean: float,
    icc: float,
    discordance: float = 0.2,
) -> np.ndarray:
    """Each cluster has its own chances of a won and a lost pair (Dirichlet)."""
    weight = (1 - icc) / icc
    rates = np.array([(discordance + mean) / 2, (discordance - mean) / 2, 1 - discordance])
    chances = rng.dirichlet(weight * rates, (r, len(sizes)))
    won = np.repeat(chances[..., 0], sizes, axis=1)
    lost = np.repeat(chances[..., 1], sizes, axis=1)
    u = rng.random(won.shape)
    return (u < won).astype(float) - ((u >= won) & (u < won + lost))


def clustered_rare(
    rng: np.random.Generator,
    r: int,
    sizes: np.ndarray,
    mean: float,
    icc: float,
    share: float = 0.05,
) -> np.ndarray:
    """One cluster in twenty loses; ``icc`` is not used: here all is between clusters."""
    harmed = np.repeat(rng.random((r, len(sizes))) < share, sizes, axis=1)
    rest = (mean + share * 0.5) / (1 - share)
    return np.where(harmed, -0.5, rest + 0.02 * (2 * rng.random(harmed.shape) - 1))
