"""How far the judges can be trusted: calibration against people, probes, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.axis import axis
from harness.report.forest import Bar, draw
from harness.report.material import Material
from harness.report.words import count, interval, number, sentence

TITLE = "Judges"
CHAPTER = "variants"


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    note: str = ""
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    metric: str
    kind: str
    rubric: str
    sha256: str
    judges: tuple[tuple[str, str, bool], ...]
    """Name, model, and whether it is the model that is judged."""
    word: str
    """``valid``, ``not valid`` or ``not calibrated``."""
    mark: str
    reason: str
    facts: tuple[Fact, ...]
    probes: tuple[tuple[str, int, int], ...] | None
    spent: str


def section(material: Material) -> list[Judge] | None:
    found = material.manifest.get("judges")
    if not isinstance(found, Mapping) or not found:
        return None
    return [_judge(metric, about or {}) for metric, about in found.items()]


def _judge(metric: str, about: Mapping[str, Any]) -> Judge:
    calibration = about.get("calibration")
    word, mark, reason = "not calibrated", "invalid", ""
    if isinstance(calibration, Mapping):
        valid = calibration.get("valid") is True
        word, mark = ("valid", "proved") if valid else ("not valid", "disproved")
        reason = sentence(str(calibration.get("reason") or ""))
    else:
        calibration = {}
        reason = "Nobody has compared this judge with people: its numbers can decide nothing."
    probes = about.get("probes")
    return Judge(
        metric=metric,
        kind=str(about.get("kind") or "kind not known"),
        rubric=str(about.get("rubric") or ""),
        sha256=str(about.get("rubric_sha256") or "not known"),
        judges=tuple(
            (str(j.get("name")), str(j.get("model")), j.get("same_as_subject") is True)
            for j in about.get("judges") or ()
            if isinstance(j, Mapping)
        ),
        word=word,
        mark=mark,
        reason=reason,
        facts=tuple(_facts(calibration)),
        probes=None
        if probes is None
        else tuple((str(p["probe"]), int(p["asked"]), int(p["fooled"])) for p in probes),
        spent=_spent(about),
    )


def _facts(c: Mapping[str, Any]) -> list[Fact]:
    found = []
    if c.get("n") is not None:
        found.append(Fact("judged by people too", f"{c['n']:,}"))
    floor = c.get("floor")
    for key, name in (("kappa", "Cohen's kappa"), ("alpha", "Krippendorff's alpha")):
        if c.get(key) is None:
            continue
        low, high = c.get(f"{key}_ci") or (None, None)
        scale = axis([0.0, 1.0, low, high, c[key]], pad=0.03)
        limit = (float(floor), True) if floor is not None and key == "kappa" else None
        note = interval(low, high) + (f"; floor {number(floor)}" if limit else "")
        bar = draw("plain", c[key], low, high, scale, limit, zero=True)
        found.append(Fact(name, number(c[key]), note, bar))
    if c.get("accuracy") is not None:
        constant = c.get("constant_accuracy")
        note = "" if constant is None else f"always the commonest answer: {number(constant)}"
        found.append(Fact("agrees with people", number(c["accuracy"]), note))
    if c.get("order_agreement") is not None:
        note = "the same verdict when the two answers change places"
        found.append(Fact("order agreement", number(c["order_agreement"]), note))
    if c.get("length_bias") is not None:
        bias = number(c["length_bias"], signed=True)
        found.append(Fact("length bias", bias, "above 0: longer answers are favoured"))
    return found


def _spent(about: Mapping[str, Any]) -> str:
    parts = []
    if about.get("repeats"):
        parts.append(count(about["repeats"], "repeat"))
    if about.get("calls") is not None:
        parts.append(count(about["calls"], "call"))
    if about.get("cached") is not None:
        parts.append(f"{about['cached']:,} from the cache")
    if about.get("cost") is not None:
        parts.append(f"cost {number(about['cost'])}")
    return ", ".join(parts)
