"""From single verdicts to one value for each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judging.panel import Judgment
from harness.judging.rubric import Kind
from harness.types import Score

WIN, TIE, LOSS = 1.0, 0.5, 0.0


def own_order(judgment: Judgment) -> str | None:
    """The winner in the case's own order, whichever order it was shown in; None: unread."""
    if judgment.read is None or judgment.read.winner is None:
        return None
    winner = judgment.read.winner
    if judgment.order == "swapped":
        return {"1": "2", "2": "1"}.get(winner, winner)
    return winner


def scores(judgments: Sequence[Judgment], kind: Kind) -> dict[str, Score]:
    """Case to value: the mean over the judges of each judge's mean over its repeats.

    Pointwise a repeat is worth its score. Pairwise it is both orders together: 1 where the case's
    own answer wins in both, 0 where it loses in both, else 0.5, a tie, as a preference that turns
    with the order is none (Zheng et al. 2023, arXiv 2306.05685, section 3.4). A case is unscored
    where one of the judges has no readable repeat; where some repeats are unreadable the value
    stands on the others, and its reason says so.
    """
    by_case: dict[str, dict[str, dict[int, list[Judgment]]]] = {}
    for one in judgments:
        repeats = by_case.setdefault(one.case, {}).setdefault(one.judge, {})
        repeats.setdefault(one.repeat, []).append(one)
    return {case: _score(judges, kind) for case, judges in by_case.items()}


def _score(judges: Mapping[str, Mapping[int, Sequence[Judgment]]], kind: Kind) -> Score:
    means: list[float] = []
    remarks: list[str] = []
    for judge, repeats in judges.items():
        values = [_value(some, kind) for some in repeats.values()]
        known = [value for value in values if value is not None]
        if not known:
            first = next(one.reason for some in repeats.values() for one in some if one.reason)
            return Score.unscored(f"{judge}: {first}")
        if len(known) < len(values):
            remarks.append(
                f"{judge}: {len(values) - len(known)} of {len(values)} repeats unreadable"
            )
        means.append(sum(known) / len(known))
    return Score(sum(means) / len(means), "; ".join(remarks) or None)


def _value(some: Sequence[Judgment], kind: Kind) -> float | None:
    """Of one repeat."""
    if kind == "pointwise":
        return None if some[0].read is None else float(some[0].read.score or 0)
    winners = [own_order(one) for one in some]
    if None in winners:
        return None
    if winners == ["1", "1"]:
        return WIN
    return LOSS if winners == ["2", "2"] else TIE
