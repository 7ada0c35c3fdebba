"""How far the judges can be trusted: calibration against people, probes, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.axis import axis
from harness.report.forest import Bar, draw
from harness.report.material import Material
from harness.report.words import count, interval, joined, number, sentence

TITLE = "Judges"
CHAPTER = "variants"


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    note: str = ""
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Length:
    """How often a variant wins, and how often it would if answers were equally long."""

    task: str
    variant: str
    rate: str
    controlled: str
    n: str


@dataclass(frozen=True, slots=True)
class Judge:
    metric: str
    kind: str
    rubric: str
    sha256: str
    judges: tuple[tuple[str, str, str], ...]
    """Name, model, and whom it judges that it is itself; empty: nobody."""
    versus: str
    """Of pairwise verdicts: the variant that answers are held against."""
    word: str
    """``valid``, ``not valid`` or ``not calibrated``."""
    mark: str
    reason: str
    facts: tuple[Fact, ...]
    probes: tuple[tuple[str, int, int, int], ...] | None
    """Probe, how often asked, fooled and unparseable."""
    lengths: tuple[Length, ...]
    spent: str


def section(material: Material) -> list[Judge] | None:
    found = material.manifest.get("judges")
    if not isinstance(found, Mapping) or not found:
        return None
    return [_judge(metric, about or {}) for metric, about in found.items()]


def _judge(metric: str, about: Mapping[str, Any]) -> Judge:
    calibration = about.get("calibration")
    calibration = calibration if isinstance(calibration, Mapping) else {}
    word, mark, reason = _worth(calibration)
    probes = about.get("probes")
    return Judge(
        metric=metric,
        kind=str(about.get("kind") or "kind not known"),
        rubric=str(about.get("rubric_text") or about.get("rubric") or ""),
        sha256=str(about.get("rubric_sha256") or "not known"),
        judges=tuple(
            (str(j.get("name")), str(j.get("model")), _subject(j.get("same_as_subject")))
            for j in about.get("judges") or ()
            if isinstance(j, Mapping)
        ),
        versus=str(about.get("versus") or ""),
        word=word,
        mark=mark,
        reason=reason,
        facts=tuple(_facts(calibration)),
        probes=None
        if probes is None
        else tuple(
            (str(p["probe"]), int(p["asked"]), int(p["fooled"]), int(p.get("unparseable") or 0))
            for p in probes
        ),
        lengths=tuple(_lengths(about.get("length_controlled") or {})),
        spent=_spent(about),
    )


def _worth(calibration: Mapping[str, Any]) -> tuple[str, str, str]:
    """Word, mark and reason of a calibration."""
    if calibration.get("valid") is True:
        return "valid", "proved", ""
    reason = str(calibration.get("reason") or "")
    reason = sentence(reason[:1].upper() + reason[1:])
    if calibration.get("n") is None:
        return (
            "not calibrated",
            "invalid",
            reason or "Nobody has compared this judge with people: its numbers can decide nothing.",
        )
    return "not valid", "disproved", reason


def _subject(same: object) -> str:
    if isinstance(same, list):
        return joined([str(name) for name in same])
    return "a variant" if same is True else ""


def _lengths(found: Mapping[str, Any]) -> Iterator[Length]:
    for task, variants in found.items():
        for variant, about in (variants or {}).items():
            wins, controlled = about.get("win_rate"), about.get("length_controlled_win_rate")
            n = about.get("n")
            yield Length(task, variant, number(wins), number(controlled), number(n, decimals=0))


def _facts(c: Mapping[str, Any]) -> list[Fact]:
    found = []
    if c.get("n") is not None:
        found.append(Fact("judged by people too", f"{c['n']:,}"))
    if c.get("unparseable"):
        found.append(Fact("unparseable", f"{c['unparseable']:,}"))
    held = "weighted_kappa" if c.get("weighted_kappa") is not None else "kappa"
    found += [_agreement(c, key, name, held) for key, name in _KAPPAS if c.get(key) is not None]
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


_KAPPAS = (
    ("weighted_kappa", "weighted kappa"),
    ("kappa", "Cohen's kappa"),
    ("alpha", "Krippendorff's alpha"),
)


def _agreement(c: Mapping[str, Any], key: str, name: str, held: str) -> Fact:
    """``held``: the figure whose lower bound must reach the floor."""
    floor = c.get("floor")
    low, high = c.get(f"{key}_ci") or (None, None)
    scale = axis([0.0, 1.0, low, high, c[key]], pad=0.03)
    limit = (float(floor), True) if floor is not None and key == held else None
    note = interval(low, high) + (f"; floor {number(floor)}" if limit else "")
    bar = draw("plain", c[key], low, high, scale, limit, zero=True)
    return Fact(name, number(c[key]), note, bar)


def _spent(about: Mapping[str, Any]) -> str:
    parts = []
    if about.get("repeats"):
        parts.append(count(about["repeats"], "repeat"))
    if about.get("calls") is not None:
        parts.append(count(about["calls"], "call"))
    if about.get("cached") is not None:
        parts.append(f"{about['cached']:,} from the cache")
    if about.get("shared"):
        parts.append(f"{about['shared']:,} shared")
    if about.get("failed"):
        parts.append(f"{about['failed']:,} failed")
    if about.get("tokens_in") is not None:
        parts.append(f"{about['tokens_in']:,} tokens in, {about.get('tokens_out') or 0:,} out")
    if about.get("cost") is not None:
        parts.append(f"cost {number(about['cost'])}")
    return ", ".join(parts)
