"""Verdicts from text: the JSON object that was asked for, or none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from harness.judging.prompt import WINNERS
from harness.judging.rubric import HIGH, LOW, Kind

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_BLOCK = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n```\Z", re.DOTALL)


@dataclass(frozen=True)
class Read:
    """What a judge said of one case."""

    score: int | None = None
    winner: str | None = None
    """``1``, ``2`` or ``tie``, in the order that it was shown."""
    rationale: str | None = None


def read(text: str, kind: Kind) -> Read | str:
    """The verdict in ``text``, or why there is none.

    Accepted are the bare object, one in a fenced code block, and either after a reasoning model's
    ``<think>`` part. Nothing is searched for in prose: a score that stands there may be the
    answer's own.
    """
    body = _THOUGHT.sub("", text, count=1).strip()
    block = _BLOCK.match(body)
    if block:
        body = block[1].strip()
    if not body:
        return "the judge said nothing"
    try:
        found = json.loads(body, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except RecursionError:
        return "the verdict is not the JSON object asked for: nested too deeply"
    except ValueError as error:
        return f"the verdict is not the JSON object asked for: {error}"
    if not isinstance(found, dict):
        return f"the verdict is a JSON {type(found).__name__}, not the object asked for"
    return _checked(found, kind)


def _checked(found: dict[str, Any], kind: Kind) -> Read | str:
    wanted = "score" if kind == "pointwise" else "winner"
    unknown = sorted(set(found) - {"rationale", wanted})
    if unknown:
        return f"the verdict has the key '{unknown[0]}', which was not asked for"
    if wanted not in found:
        return f"the verdict lacks '{wanted}'"
    rationale = found.get("rationale")
    if rationale is not None and not isinstance(rationale, str):
        return "the verdict's rationale is no text"
    value = found[wanted]
    if kind == "pairwise":
        if value not in WINNERS or not isinstance(value, str):
            return f"the verdict's winner is {value!r}, not '1', '2' or 'tie'"
        return Read(winner=value, rationale=rationale)
    if type(value) is not int or not LOW <= value <= HIGH:
        return f"the verdict's score is {value!r}, not a whole number from {LOW} to {HIGH}"
    return Read(score=value, rationale=rationale)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
