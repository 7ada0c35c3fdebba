"""A judge on a real HTTP server that sees what it is shown, and answers by a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from scripted_server import Body, Said, choice

Shown = Mapping[str, str]
"""``question``, ``answer``, ``answer_1``, ``answer_2``, ``reference``: what stood in the fences."""


def shown(body: Body) -> dict[str, str]:
    text = body["messages"][-1]["content"]
    found = re.findall(r"<<<([A-Z0-9 ]+) ([0-9a-f]{16})>>>\n(.*?)\n<<<END OF \1 \2>>>", text, re.S)
    return {title.lower().replace(" ", "_"): inside for title, _, inside in found}


def rating(score: Any, rationale: str = "because") -> Said:
    return choice(json.dumps({"rationale": rationale, "score": score}))


def winner(who: str, rationale: str = "because") -> Said:
    return choice(json.dumps({"rationale": rationale, "winner": who}))


def judging(rule: Callable[[Shown, Body], Said]) -> Callable[[Body, int], Said]:
    """The rule for what is judged; a greeting is answered without it."""

    def answer(body: Body, before: int) -> Said:
        seen = shown(body)
        return rule(seen, body) if seen else choice("OK")

    return answer


def by_reference(seen: Shown, body: Body) -> Said:
    """Honest: what says the reference is good, whatever else stands there."""
    right = seen["reference"].lower()
    if "answer" in seen:
        return rating(5 if right in seen["answer"].lower() else 1)
    one, two = (right in seen[key].lower() for key in ("answer_1", "answer_2"))
    return winner("tie" if one == two else "1" if one else "2")
