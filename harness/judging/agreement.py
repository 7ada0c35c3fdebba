"""How far a judge agrees with people: figures of recorded verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.stats import agreement as stats
from harness.stats.mean import Codes, Floats

LEVEL = 0.9
"""Of every interval: each bound is one-sided at 0.05, as in a verdict."""
HUMAN = ("1", "2", "tie")
_BY_PREFERENCE = ("2", "tie", "1")
_RATINGS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Pair:
    """Verdicts on one pair of answers, all in the data's own order; None: unparseable."""

    subject: str
    """Pairs of one subject (the sample) are not independent of each other."""
    human: str
    forward: str | None
    swapped: str | None
    longer: Literal["1", "2"] | None = None
    """The longer answer; None: not known, or equal."""
    panel: str | None = None
    """What the whole panel made of both orders; else it follows from the two."""


@dataclass(frozen=True)
class Rating:
    """A human's rating of one answer, 1 to 5, and the judge's; None: unparseable."""

    subject: str
    human: int
    judge: float | None
    length: int | None = None
    """Of the answer, in characters."""


def of_pairs(rows: Sequence[Pair]) -> dict[str, Any]:
    """Figures of pairwise verdicts; shares are over all rows, the unparseable included.

    ``kappa`` (Cohen 1960) and ``alpha`` (Krippendorff, nominal) hold the forward verdicts against
    the human ones, over the rows where the forward verdict is parseable. ``weighted_kappa``
    (linear, "2" < tie < "1") holds the verdict of both orders together, a tie where they differ,
    against the human: that is what the metric rests on. ``order_agreement`` is the share of equal
    verdicts, two unparseable ones being equal, and ``order_kappa`` their kappa on whether answer 1
    is preferred; both as LLMBar's (Zeng et al. 2024) own code has them. ``length_bias``: how much
    more often the judge prefers the longer of two answers than people do. A figure that the data
    do not support is None.
    """
    sums = _Sums([row.subject for row in rows])
    right = [
        np.array([row.forward == row.human for row in rows]),
        np.array([row.swapped == row.human for row in rows]),
    ]
    equal = np.array([row.forward == row.swapped for row in rows])
    unread = np.array([row.forward is None or row.swapped is None for row in rows])
    forward = [i for i, row in enumerate(rows) if row.forward is not None]
    both = [i for i, row in enumerate(rows) if not unread[i]]
    first = np.array([[row.forward == "1", row.swapped == "1"] for row in rows], np.int64)
    constant, constant_share = _constant([row.human for row in rows])
    found = {
        "n": len(rows),
        "unparseable": int(unread.sum()),
        "accuracy_forward": _share(right[0]),
        "accuracy_forward_ci": sums.share(right[0]),
        "accuracy_swapped": _share(right[1]),
        "accuracy_both": _share(right[0] & right[1]),
        "accuracy_both_ci": sums.share(right[0] & right[1]),
        "constant": constant,
        "constant_accuracy": constant_share,
        "order_agreement": _share(equal),
        "order_flip_rate": _share(~equal),
        "order_flip_rate_ci": sums.share(~equal),
        "order_kappa": _number(stats.kappa(_table(first[:, 0], first[:, 1], 2))),
        "ci_level": LEVEL,
    }
    human = _codes([rows[i].human for i in forward], HUMAN)
    judge = _codes([rows[i].forward for i in forward], HUMAN)
    found |= sums.agreement("kappa", forward, human, judge, len(HUMAN))
    found |= sums.agreement("alpha", forward, human, judge, len(HUMAN))
    human = _codes([rows[i].human for i in both], _BY_PREFERENCE)
    judge = _codes([together(rows[i]) for i in both], _BY_PREFERENCE)
    found |= sums.agreement("weighted_kappa", both, human, judge, 3)
    return {**found, **_longer(rows, sums)}


def of_ratings(rows: Sequence[Rating]) -> dict[str, Any]:
    """Figures of ratings; shares are over all rows, the unparseable included.

    The judge's value is rounded to a whole number, halves up. ``kappa`` (Cohen 1960),
    ``weighted_kappa`` (quadratic, Cohen 1968) and ``alpha`` (Krippendorff, ordinal) are over the
    parseable rows. ``length_bias``: correlation of (judge - human) with the logarithm of the
    answer's length. A figure that the data do not support is None.
    """
    sums = _Sums([row.subject for row in rows])
    read = [i for i, row in enumerate(rows) if row.judge is not None]
    rounded = {i: int(np.floor((rows[i].judge or 0.0) + 0.5)) for i in read}
    right = np.array([rounded.get(i) == row.human for i, row in enumerate(rows)])
    constant, constant_share = _constant([row.human for row in rows])
    human = _codes([rows[i].human for i in read], _RATINGS)
    judge = _codes([rounded[i] for i in read], _RATINGS)
    found = {
        "n": len(rows),
        "unparseable": len(rows) - len(read),
        "accuracy": _share(right),
        "accuracy_ci": sums.share(right),
        "constant": constant,
        "constant_accuracy": constant_share,
        "ci_level": LEVEL,
    }
    for name in ("kappa", "weighted_kappa", "alpha"):
        found |= sums.agreement(name, read, human, judge, len(_RATINGS), ratings=True)
    known = [i for i in read if rows[i].length is not None]
    apart = np.array([(rows[i].judge or 0.0) - rows[i].human for i in known])
    lengths = np.log1p(np.array([rows[i].length or 0 for i in known], float))
    found["length_bias"] = _correlation(apart, lengths)
    return found


def together(row: Pair) -> str:
    """The verdict of both orders: a tie where they differ."""
    if row.panel is not None:
        return row.panel
    return row.forward or "tie" if row.forward == row.swapped else "tie"


class _Sums:
    """Figures with intervals, the subject being what is drawn."""

    def __init__(self, subjects: Sequence[str]) -> None:
        self._owner, self._owners = stats.codes(np.array(subjects, np.str_))
        self._draws = stats.Draws.of(self._owners)

    def share(self, hits: Any, among: Any = None) -> list[float] | None:
        """Interval of the share of ``hits`` (n,) among the rows ``among`` (n,), or all."""
        asked = np.ones(len(hits)) if among is None else among.astype(float)
        if not asked.sum():
            return None
        right: Floats = np.bincount(self._owner, hits.astype(float), self._owners).astype(float)
        possible: Floats = np.bincount(self._owner, asked, self._owners).astype(float)
        return _pair(stats.interval(self._draws.shares(right, possible), LEVEL))

    def drawn(self, values: Floats) -> Floats:
        """(draws,) sums of ``values`` (n,) over the drawn subjects."""
        found: Floats = self._draws.weights @ np.bincount(self._owner, values, self._owners)
        return found

    def agreement(
        self,
        name: str,
        rows: Sequence[int],
        human: Codes,
        judge: Codes,
        k: int,
        *,
        ratings: bool = False,
    ) -> dict[str, Any]:
        """``name`` and its interval: of the rows with these numbers."""
        by_subject = stats.tables(human, judge, k, self._owner[list(rows)], self._owners)

        def measure(tables: Floats) -> Floats:
            if name == "alpha":
                return stats.alpha(tables, "ordinal" if ratings else "nominal")
            weights: stats.Weights = "none"
            if name == "weighted_kappa":
                weights = "quadratic" if ratings else "linear"
            return stats.kappa(tables, weights)

        value = _number(measure(by_subject.sum(0))) if len(rows) > 1 else None
        bounds = None
        if value is not None:
            bounds = _pair(stats.interval(measure(self._draws.tables(by_subject)), LEVEL))
        return {name: value, f"{name}_ci": bounds}


def _longer(rows: Sequence[Pair], sums: _Sums) -> dict[str, Any]:
    known = np.array([row.longer is not None and row.forward is not None for row in rows])
    if not known.any():
        return {"length_bias": None, "length_bias_ci": None}
    judge = np.array([together(row) == row.longer for row in rows]) & known
    human = np.array([row.human == row.longer for row in rows]) & known
    apart = judge.astype(float) - human.astype(float)
    drawn = sums.drawn(apart) / sums.drawn(known.astype(float))
    return {
        "length_bias": float(apart.sum() / known.sum()),
        "length_bias_ci": _pair(stats.interval(drawn, LEVEL)),
    }


def _table(first: Codes, second: Codes, k: int) -> Floats:
    found: Floats = stats.tables(first, second, k, np.zeros(len(first), np.int64), 1)[0]
    return found


def _codes(values: Sequence[Any], categories: Sequence[Any]) -> Codes:
    places = {category: i for i, category in enumerate(categories)}
    return np.array([places[value] for value in values], np.int64)


def _constant(labels: Sequence[Any]) -> tuple[Any, float | None]:
    """The label that is best said of everything, and how often it is right."""
    if not labels:
        return None, None
    label, count = max(Counter(labels).items(), key=lambda item: (item[1], str(item[0])))
    return label, count / len(labels)


def _share(hits: Any) -> float | None:
    return float(hits.mean()) if len(hits) else None


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _pair(bounds: tuple[float, float] | None) -> list[float] | None:
    return None if bounds is None else list(bounds)


def _correlation(first: Floats, second: Floats) -> float | None:
    if len(first) < 3 or not first.std() or not second.std():
        return None
    return float(np.corrcoef(first, second)[0, 1])
