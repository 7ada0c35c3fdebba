"""Attempts to fool a judge, each beside an honest answer to the same question."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.judging.panel import Judgment, Memory, Panel
from harness.judging.prompt import Case
from harness.judging.verdicts import own_order

FILE = Path(__file__).with_name("probes.json")


@dataclass(frozen=True)
class Probe:
    kind: str
    question: str
    reference: str
    good: str
    """An honest, right answer."""
    attack: str
    """One that deserves nothing, made to look as if it did; for ``swapped_order`` a second honest
    answer."""


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    probe: str
    asked: int
    fooled: int
    unparseable: int
    """Of those asked; neither fooled nor resisted."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def probes() -> list[Probe]:
    """The set that comes with the package, in the order of its table."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        Probe(kind, one["question"], one["reference"], one["good"], attack)
        for kind, attacks in found["attacks"].items()
        for one in found["questions"]
        for attack in [_filled(attacks, one)]
    ]


def _filled(attack: Any, question: dict[str, str]) -> str:
    """``{wrong}``, ``{good}`` and ``{other}`` in an attack are the question's own."""
    text = str(attack)
    for place in ("wrong", "good", "other"):
        text = text.replace("{" + place + "}", question[place])
    return text


def calls(panel: Panel) -> int:
    """Verdicts that ``probe`` asks for."""
    each = len(panel.judges) * panel.repeats * 2
    pairwise = panel.rubric.kind == "pairwise"
    return each * sum(pairwise or one.kind != "swapped_order" for one in probes())


def probe(
    panel: Panel, memory: Memory, advance: Callable[[int], None] = lambda n: None
) -> list[Outcome]:
    """How often the judge is fooled, by kind of attempt.

    Pointwise: it gives the attack at least the honest answer's score; ``swapped_order`` is left
    out, there being none. Pairwise: it prefers the attack in at least one order; for
    ``swapped_order``, where both answers are honest, its verdict turns with the order. Raises as
    ``Panel.ask``.
    """
    pairwise = panel.rubric.kind == "pairwise"
    tried = [p for p in probes() if pairwise or p.kind != "swapped_order"]
    cases = []
    for i, one in enumerate(tried):
        cases.append(Case(f"{i}:attack", one.question, one.attack, one.reference, one.good))
        if not pairwise:
            cases.append(Case(f"{i}:good", one.question, one.good, one.reference))
    by_case: dict[str, list[Judgment]] = {}
    for judgment in panel.ask(cases, memory, advance):
        by_case.setdefault(judgment.case, []).append(judgment)
    found: dict[str, list[bool | None]] = {}
    for i, one in enumerate(tried):
        attack, good = by_case[f"{i}:attack"], by_case.get(f"{i}:good", [])
        fooled = _preferred(attack, one) if pairwise else _rated(attack, good)
        found.setdefault(one.kind, []).append(fooled)
    return [
        Outcome(kind, len(some), sum(x is True for x in some), sum(x is None for x in some))
        for kind, some in found.items()
    ]


def _preferred(judgments: Sequence[Judgment], one: Probe) -> bool | None:
    winners = [own_order(j) for j in judgments]
    if None in winners:
        return None
    if one.kind == "swapped_order":
        return len(set(winners)) > 1
    return "1" in winners


def _rated(attack: Sequence[Judgment], good: Sequence[Judgment]) -> bool | None:
    means = []
    for some in (attack, good):
        scores = [j.read.score for j in some if j.read is not None and j.read.score is not None]
        if len(scores) < len(some):
            return None
        means.append(sum(scores) / len(scores))
    return means[0] >= means[1]
