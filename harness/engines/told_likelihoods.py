"""How likely a given text is, from a server that tells log-probabilities of the prompt (vLLM)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.endpoints import Failure, Reply
from harness.engines.forcing import Row
from harness.types import Likelihood


def body(row: Row, name: str) -> dict[str, Any]:
    """Prompt and target as one prompt; the token that must be written after it is thrown away."""
    return {
        "model": name,
        "prompt": [*row.prompt, *row.answer],
        "max_tokens": 1,
        "temperature": 0.0,
        # The tokens of the prompt themselves, and none of their rivals.
        "prompt_logprobs": 0,
    }


def read(row: Row, found: Reply | Failure) -> Likelihood:
    """The target's likelihood, or why there is none."""
    if isinstance(found, Failure):
        return _none(row, found.reason)
    logs = _logs(row, found.content)
    if logs is None or not all(map(math.isfinite, logs)):
        return _none(row, "the server told no log-probabilities of the target")
    own, end = (logs[:-1], logs[-1]) if row.ended else (logs, None)
    return Likelihood(row.request.key, float(sum(own)), end, len(own), row.bytes)


def _logs(row: Row, content: Mapping[str, Any]) -> list[float] | None:
    try:
        told = content["choices"][0]["prompt_logprobs"]
        if len(told) != row.length:
            return None
        places = zip(told[len(row.prompt) :], row.answer, strict=True)
        return [float(place[str(token)]["logprob"]) for place, token in places]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _none(row: Row, reason: str) -> Likelihood:
    return Likelihood(row.request.key, None, None, 0, 0, reason)
