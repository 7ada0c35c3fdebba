"""After how many requests a training has paid for itself, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.words import count, number, sentence

if TYPE_CHECKING:
    from harness.compare import BreakEven

_CURRENCY = {"money": "money", "compute_s": "seconds of compute"}


@dataclass(frozen=True, slots=True)
class PaybackRow:
    candidate: str
    versus: str
    currency: str
    fixed: str
    saving: str
    requests: str
    known: bool
    range: str
    n: int
    reason: str


@dataclass(frozen=True, slots=True)
class Payback:
    rows: tuple[PaybackRow, ...]
    spent: str
    """What the suite has cost, in a sentence; empty: not known."""
    reason: str
    """The reason of every row, where they share one; their own are then empty."""
    level: float


def payback(manifest: Mapping[str, Any], found: Sequence[BreakEven]) -> Payback | None:
    """None where there is nothing to pay back: no adapter, or nothing without one."""
    if not found:
        return None
    reasons = {b.reason for b in found}
    shared = reasons.pop() if len(reasons) == 1 and len(found) > 1 else ""
    return Payback(
        tuple(_row(b, "" if shared else b.reason) for b in found),
        _spent(manifest.get("spent") or {}),
        sentence(shared[:1].upper() + shared[1:]),
        found[0].ci_level,
    )


def _row(b: BreakEven, reason: str) -> PaybackRow:
    requests = "not known" if b.requests is None else str(b.requests)
    if isinstance(b.requests, int):
        requests = f"{b.requests:,}"
    return PaybackRow(
        b.candidate,
        b.versus,
        _CURRENCY[b.currency],
        "not known" if b.fixed is None else number(b.fixed),
        "not known" if b.saving is None else number(b.saving, signed=True),
        requests,
        isinstance(b.requests, int),
        _range(b),
        b.n,
        reason,
    )


def _range(b: BreakEven) -> str:
    low, high = b.requests_low, b.requests_high
    if low is None and high is None:
        return "no interval"
    if low is None:
        return f"at most {high:,}"
    return f"{low:,} or more, without end" if high is None else f"{low:,} to {high:,}"


def _spent(spent: Mapping[str, Any]) -> str:
    training, evaluation = spent.get("training_s"), spent.get("evaluation_s")
    if training is None or evaluation is None:
        return ""
    tries = spent.get("tries")
    over = f" ({count(tries, 'try', 'tries')})" if isinstance(tries, int) else ""
    return (
        f"So far this suite has cost {number(training, decimals=0)} s of training{over} and "
        f"{number(evaluation, decimals=0)} s of evaluation."
    )
