"""Training loss as a curve, with the preflights that stood before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.axis import Tick, axis
from harness.report.words import number, plain_number


@dataclass(frozen=True, slots=True)
class Curve:
    points: str
    """Of an SVG polyline in a box of 100 x 100."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Training:
    fingerprint: str
    variants: tuple[str, ...]
    facts: tuple[str, ...]
    curve: Curve | None
    preflights: Mapping[str, Any]
    card: Mapping[str, Any]
    """Everything else that is known of it."""


def trainings(manifest: Mapping[str, Any]) -> list[Training]:
    return [_training(key, about) for key, about in (manifest.get("training") or {}).items()]


def _training(fingerprint: str, about: Mapping[str, Any]) -> Training:
    facts = [
        f"{plain_number(about[key])} {key}"
        for key in ("rows", "tokens", "steps", "seconds", "trainable_parameters")
        if isinstance(about.get(key), (int, float))
    ]
    shown = ("loss", "preflights", "variants")
    return Training(
        fingerprint,
        tuple(about.get("variants") or ()),
        tuple(facts),
        _curve(about.get("loss") or []),
        about.get("preflights") or {},
        {key: value for key, value in about.items() if key not in shown},
    )


def _curve(loss: list[list[float]]) -> Curve | None:
    """None where there are not two points to join."""
    known = [(float(s), float(v)) for s, v in loss if v is not None and math.isfinite(v)]
    if len(known) < 2:
        return None
    x = axis([s for s, _ in known], pad=0.0)
    y = axis([v for _, v in known], pad=0.06)
    points = " ".join(f"{x.at(s):g},{round(100 - y.at(v), 3):g}" for s, v in known)
    return Curve(
        points,
        x.ticks,
        tuple(Tick(round(100 - t.at, 3), t.label) for t in y.ticks),
        number(known[0][1]),
        number(known[-1][1]),
    )
