"""After how many requests a training has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.compare.aligned import TaskData, index
from harness.compare.comparisons import Outcome, attempt
from harness.compare.pairs import clusters_of
from harness.errors import UsageError
from harness.stats.intervals import NoInterval, Scale, difference_interval
from harness.stats.mean import Codes, Floats
from harness.store.runs import Run
from harness.types import Interval

Currency = Literal["money", "compute_s"]
UNIT: Mapping[Currency, str] = {"money": "cost", "compute_s": "time"}
_Costs = tuple[TaskData, Floats]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """When a variant with an adapter becomes cheaper than one without."""

    candidate: str
    versus: str
    currency: Currency
    """``money`` (that of the recipes' ``cost_per_1k_tokens``) or ``compute_s``, seconds."""
    fixed: float | None
    """What training and evaluation have cost, all tries included; None: not known."""
    saving: float | None
    """Of the candidate, a request; negative: it costs more. None: not known."""
    requests: int | Literal["never"] | None
    """After so many the fixed cost is paid back; None: not known."""
    requests_low: int | None
    """Fewest requests within the interval of the saving; None: no saving is within it, or there is
    no interval."""
    requests_high: int | None
    """Most requests within it; None: they have no end, or there is no interval."""
    ci_level: float
    n: int
    """Pairs of answers whose cost is known on both sides."""
    reason: str
    """What ``requests`` rests on, or why there is no number."""


def break_even(
    run: Run, machine_cost_per_hour: float | None = None, alpha: float = 0.05
) -> list[BreakEven]:
    """Every variant with an adapter against every one without: requests until it has paid back.

    fixed / saving, with saving = cost of the reference - cost of the candidate, a request: the
    mean over tasks of the mean per sample. ``compute_s`` counts seconds of the machine: those of
    ``manifest["spent"]`` against ``latency_s``, which is the batch's time divided by its rows
    (throughput; searching a corpus is not in it). ``money`` counts those same seconds at
    ``machine_cost_per_hour`` against ``cost``; it is left out where neither is known. The interval
    comes from the paired interval of the saving, two-sided 1 - 2*alpha; the answers of a batch
    share their time, so they are one cluster, and few batches give no interval.

    It says when the adapter is cheaper, not whether it is as good: that is the verdict's business,
    and a number here means something only where it is. Empty where the run tells of no adapter
    (an imported one). Raises UsageError for a price that is not a positive number, and RunError
    for a run that contradicts itself.
    """
    price = machine_cost_per_hour
    if price is not None and not (math.isfinite(price) and price > 0):
        raise UsageError(
            f"The price of a machine for an hour must be a number above 0, got {price}."
        )
    variants = run.manifest["variants"]
    adapted, bare = (
        [v for v, about in variants.items() if (about or {}).get("has_adapter") is wanted]
        for wanted in (True, False)
    )
    if not adapted or not bare:
        return []
    tasks = list(index(run).values())
    served = {
        v for v, about in variants.items() if ((about or {}).get("recipe") or {}).get("server")
    }
    costs = {currency: _costs(tasks, currency, served) for currency in UNIT}
    if price is None and all(np.isnan(values).all() for _, values in costs["money"]):
        del costs["money"]
    return [
        _row(candidate, versus, currency, _fixed(run, currency, price), known, alpha)
        for candidate in adapted
        for versus in bare
        for currency, known in costs.items()
    ]


def _costs(tasks: Sequence[TaskData], currency: Currency, served: Collection[str]) -> list[_Costs]:
    """For each task the cost of each answer, (V, S); NaN: not known. A server's seconds are what
    a request waited among others, and not what it cost the machine."""
    found = []
    for task in tasks:
        values = task.seconds
        if currency == "compute_s" and values is not None:
            there = np.array([v in served for v in task.variants])
            values = np.where(there[:, None], np.nan, values)
        if currency == "money":
            known = "cost" in task.infos and task.infos["cost"].derived
            values = task.values["cost"] if known else None
        found.append((task, np.full(task.present.shape, np.nan) if values is None else values))
    return found


def _fixed(run: Run, currency: Currency, price: float | None) -> tuple[float | None, str]:
    """What was spent before the first request, and why it is not known."""
    spent = run.manifest.get("spent") or {}
    seconds = [_seconds(spent.get(key)) for key in ("training_s", "evaluation_s")]
    if None in seconds:
        return None, "the run does not say what training and evaluation have cost"
    total = math.fsum(x for x in seconds if x is not None)
    if currency == "compute_s":
        return total, ""
    if price is None:
        return None, "the price of the machine is not known: give --machine-cost-per-hour"
    return price * total / 3600, ""


def _seconds(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return float(value) if known else None


def _row(
    candidate: str,
    versus: str,
    currency: Currency,
    fixed: tuple[float | None, str],
    costs: Sequence[_Costs],
    alpha: float,
) -> BreakEven:
    spent, unknown = fixed
    found = _saving(candidate, versus, currency, costs, alpha)
    saving, (low, high) = found.mean, found.outcome.bounds
    requests: int | Literal["never"] | None = None
    fewest = most = None
    if saving is None:
        reason = f"the {UNIT[currency]} of a request is not known{found.where}"
    elif saving <= 0:
        requests, reason = "never", f"'{candidate}' costs at least as much a request as '{versus}'"
        if high is not None and high > 0:
            reason += ", though its interval does not rule a saving out"
            fewest = None if spent is None else _requests(spent, high)
    elif spent is None:
        reason = unknown
    else:
        requests = _requests(spent, saving)
        fewest = None if high is None else _requests(spent, high)
        most = None if low is None else _requests(spent, low)
        method = found.outcome.method if low is not None else f"no interval: {found.outcome.method}"
        reason = f"{spent:.4g} to pay back at {saving:.4g} a request ({method})"
    return BreakEven(
        candidate=candidate,
        versus=versus,
        currency=currency,
        fixed=spent,
        saving=saving,
        requests=requests,
        requests_low=fewest,
        requests_high=most,
        ci_level=1 - 2 * alpha,
        n=found.n,
        reason=reason,
    )


def _requests(fixed: float, saving: float) -> int | None:
    """None: no number of requests pays ``fixed`` back."""
    if saving <= 0 or not math.isfinite(fixed / saving):
        return None
    return math.ceil(fixed / saving)


_NONE = Outcome(None, "")


@dataclass(frozen=True)
class _Saving:
    """Of a request: its mean (None: not known, ``where``), interval and pairs."""

    mean: float | None
    outcome: Outcome = _NONE
    n: int = 0
    where: str = ""


def _saving(
    candidate: str, versus: str, currency: Currency, costs: Sequence[_Costs], alpha: float
) -> _Saving:
    differences: list[Floats] = []
    codes: list[Codes] = []
    for task, values in costs:
        rows = task.row(candidate), task.row(versus)
        d = values[rows[1]] - values[rows[0]]
        at = np.flatnonzero(~np.isnan(d))
        if not len(at):
            if task.touched[list(rows)].any():
                return _Saving(None, where=f" in task '{task.name}'")
            continue
        clusters = clusters_of(task, rows, at)
        # Equal times are those of one batch, which all of its answers share.
        shared = [np.unique(values[row, at], return_inverse=True)[1] for row in rows]
        together = [] if currency == "money" else shared
        together += [] if clusters is None else [clusters]
        differences.append(d[at])
        codes.append(_joined(len(at), together))
    if not differences:
        return _Saving(None)
    pooled = _pooled(differences)
    n = len(pooled)
    clusters = _apart(codes)
    saving = float(np.mean([d.mean() for d in differences]))
    grouped = None if len(np.unique(clusters)) == n else clusters

    def interval() -> Interval:
        if np.ptp(pooled) <= 1e-9 * np.abs(pooled).max():
            raise NoInterval("every request saves the same")
        return difference_interval(pooled, np.zeros(n), Scale(), alpha, grouped)

    outcome = attempt(n, grouped, interval)
    return _Saving(saving, outcome, n)


def _pooled(differences: Sequence[Floats]) -> Floats:
    """One array whose mean is the mean of the tasks' means, and its variance that mean's.

    A task's deviations are weighted by N / (T * n), so that the plain standard error of all N is
    the stratified one (Cochran 1977, "Sampling Techniques", section 5.3), but for a factor of
    about 1 - 1/n.
    """
    total, tasks = sum(map(len, differences)), len(differences)
    mean = float(np.mean([d.mean() for d in differences]))
    return np.concatenate([mean + (d - d.mean()) * total / (tasks * len(d)) for d in differences])


def _joined(n: int, codes: Sequence[Codes]) -> Codes:
    """(n,) one number for all that any of ``codes`` puts together, directly or by way of others."""
    label = np.arange(n)
    while True:
        new = label
        for code in codes:
            least = np.full(int(code.max()) + 1, n)
            np.minimum.at(least, code, new)
            new = least[code]
        if (new == label).all():
            return label
        label = new


def _apart(codes: Sequence[Codes]) -> Codes:
    """Clusters of several tasks in one array, no two tasks sharing one."""
    found, first = [], 0
    for code in codes:
        found.append(code + first)
        first += int(code.max()) + 1
    return np.concatenate(found)
