"""Whether a server that is asked for an adapter gives something else than the base.

A server may ignore a name it does not know, or serve the base under the adapter's; every number
would then be the base's. A few prompts are answered by both, one after the other. Answers of one
model can differ too, as whoever else asks the server shares its batches and so its rounding; so the
base answers twice, and the adapter has to differ by more than the base does from itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.endpoints import Answer

PROBES = (
    "Name one thing that this adapter was trained to change.",
    "Write one sentence about the sea.",
)
NEW_TOKENS = 16
RIVALS = 5
"""Likeliest tokens asked for at each place, where the server tells log-probabilities."""
FACTOR = 4.0
"""How many times the base's own scatter a change of log-probability must be."""
LEAST = 1e-4
"""And more than that, in nats: the rounding with which servers print."""


@dataclass(frozen=True)
class Moved:
    """How far two sets of answers to the same prompts lie apart."""

    texts: int
    """Answers whose text differs."""
    log: float | None
    """Largest difference of a token's log-probability before the texts part; infinite where a
    token is not among the other's likeliest. None: the server tells none."""


def moved(some: Sequence[Answer], others: Sequence[Answer]) -> Moved:
    pairs = list(zip(some, others, strict=True))
    logs = [_log_change(a, b) for a, b in pairs if a.logs and b.logs]
    return Moved(sum(a.text != b.text for a, b in pairs), max(logs, default=None))


def applied(by_adapter: Moved, by_itself: Moved) -> bool:
    """Whether the adapter moves the answers beyond the base's own scatter."""
    if by_adapter.log is not None and by_itself.log is not None:
        return by_adapter.log > max(FACTOR * by_itself.log, LEAST)
    return by_adapter.texts > by_itself.texts


def mixed_up(
    bare: Sequence[Answer],
    adapted: Sequence[Answer],
    bare_together: Sequence[Answer],
    adapted_together: Sequence[Answer],
) -> int:
    """Answers that become the other's word for word once both are asked at the same time.

    vLLM on CPU does that with ``--max-loras`` no greater than the number of adapters: rows of the
    base in a batch with an adapter's get the adapter (vllm-project/vllm pull request 48421).
    """
    rows = zip(bare, adapted, bare_together, adapted_together, strict=True)
    apart = [row for row in rows if row[0].text != row[1].text]
    return sum((b.text == a_.text) + (a.text == b_.text) for a, b, a_, b_ in apart)


def evidence(by_adapter: Moved, by_itself: Moved, probes: int) -> dict[str, Any]:
    """For the run's manifest."""
    return {
        "probes": probes,
        "texts_changed": by_adapter.texts,
        "texts_changed_by_asking_again": by_itself.texts,
        "max_log_probability_change": _finite(by_adapter.log),
        "max_log_probability_change_by_asking_again": _finite(by_itself.log),
    }


def _finite(value: float | None) -> float | str | None:
    return "beyond the likeliest tokens" if value is not None and math.isinf(value) else value


def _log_change(one: Answer, other: Answer) -> float:
    found = 0.0
    for a, b in zip(one.logs, other.logs, strict=False):
        if a.token == b.token:
            found = max(found, abs(a.log - b.log))
            continue
        rival = b.rivals.get(a.token)
        return math.inf if rival is None else max(found, abs(a.log - rival))
    return found
