"""Tests that are reported beside the intervals: McNemar's exact test and equivalence (TOST)."""

from __future__ import annotations


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided p-value of McNemar's exact test that both sides are equally often right.

    ``wins``: pairs where only the candidate is right; ``losses``: only the reference. The binomial
    test of wins among the discordant pairs (McNemar 1947, Psychometrika 12:153-157); equal to
    statsmodels' ``mcnemar(exact=True)``. No discordant pair: 1.
    """
    from scipy.special import bdtr

    discordant = wins + losses
    return min(1.0, 2 * float(bdtr(min(wins, losses), discordant, 0.5))) if discordant else 1.0


def equivalent(low: float, high: float, margin: float) -> bool:
    """Whether a 1 - 2*alpha interval [low, high] proves equivalence within +-``margin`` at alpha.

    Two one-sided tests (TOST; Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics
    15:657-680) are the same decision as the interval lying inside the margins.
    """
    return -margin < low and high < margin
