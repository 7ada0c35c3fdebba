"""Quality against latency and against cost: which variants no other beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.report.axis import Axis, Tick, axis
from harness.report.labels import Box, Label, place
from harness.report.material import Material
from harness.report.variants import UNITS, lower_is_better
from harness.report.words import interval, joined, number
from harness.types import Summary

TITLE = "Quality against cost"
CHAPTER = "variants"

HEIGHT = 300
"""Pixels of a plot's field."""
_MACHINE = "machine seconds"
_UNITS = {**UNITS, _MACHINE: "mean of a request, its share of a batch; no latency was probed"}
_LATENCIES = ("latency_p50", "latency_p95", _MACHINE)
_COSTS = ("cost_per_1k_requests", "tokens_per_1k_requests")
_METRICS = 1
"""Metrics of a task that are plotted, those that the rules speak of first."""


@dataclass(frozen=True, slots=True)
class Point:
    variant: str
    x: float
    """Percent of the width; 0 is the cheapest end."""
    y: float
    """Percent of the height from the top."""
    low: float | None
    high: float | None
    label: Label
    """Where the name stands."""
    on: bool
    """No other variant is at least as good for at most this price, and better in one."""
    candidate: bool
    said: str


@dataclass(frozen=True, slots=True)
class Plot:
    task: str
    metric: str
    price: str
    unit: str
    points: tuple[Point, ...]
    steps: str
    """Of an SVG polyline in a box of 100 x 100, along the frontier."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    better: str
    """Where good quality stands: ``up``, or ``down`` for a metric where lower is better."""
    summary: str


def section(material: Material) -> list[Plot] | None:
    plots = []
    measured_besides = _machine_seconds(material)
    for task in material.tasks:
        summaries = [*material.summaries, *measured_besides]
        found = {(s.metric, s.variant): s for s in summaries if s.task == task}
        measured = {m for m, _ in found}
        prices = [next((m for m in names if m in measured), None) for names in (_LATENCIES, _COSTS)]
        for metric in [m for m in material.leading(task) if m in measured][:_METRICS]:
            for price in prices:
                if price is not None and price != metric:
                    plots.append(_plot(material, task, metric, price, found))
    return [p for p in plots if p is not None] or None


def _machine_seconds(material: Material) -> list[Summary]:
    """Mean seconds that a request took of the machine, by task and variant."""
    names = ("task", "variant", "latency_s")
    groups: dict[tuple[str, str], list[float]] = {}
    for task, variant, seconds in zip(
        *(material.run.outputs[name].to_pylist() for name in names), strict=True
    ):
        if seconds is not None:
            groups.setdefault((task, variant), []).append(seconds)
    level = 1 - 2 * material.alpha
    return [
        Summary(task, _MACHINE, variant, sum(x) / len(x), None, None, level, len(x), 0)
        for (task, variant), x in groups.items()
    ]


def _plot(
    material: Material,
    task: str,
    metric: str,
    price: str,
    found: Mapping[tuple[str, str], Summary],
) -> Plot | None:
    pairs = [
        (found[metric, v], found[price, v])
        for v in dict.fromkeys([*material.variants, *(v for _, v in found)])
        if (metric, v) in found and (price, v) in found
    ]
    known = [(q, p) for q, p in pairs if q.estimate is not None and p.estimate is not None]
    if len(known) < 2:
        return None
    lower = lower_is_better(material.manifest, material.rules, task, metric)
    x = axis([p.estimate for _, p in known], pad=0.12)
    x = Axis(max(0.0, x.low), x.high)
    y = axis([v for q, _ in known for v in (q.estimate, q.ci_low, q.ci_high)])
    best = _frontier([(q.estimate or 0.0, p.estimate or 0.0) for q, p in known], lower)
    spots = [(x.at(p.estimate or 0.0), _down(y, q.estimate) or 0.0) for q, p in known]
    steps = _steps([spot for spot, on in zip(spots, best, strict=True) if on])
    points = _points(material, known, spots, best, steps, y)
    names = [point.variant for point in sorted(points, key=lambda p: p.x) if point.on]
    return Plot(
        task,
        metric,
        price,
        _UNITS.get(price, ""),
        points,
        " ".join(f"{a:g},{b:g}" for a, b in steps),
        x.ticks,
        tuple(Tick(round(100 - t.at, 3), t.label) for t in y.ticks),
        "down" if lower else "up",
        f"On the frontier of {metric} and {price}: {joined(names)}.",
    )


def _points(
    material: Material,
    known: Sequence[tuple[Summary, Summary]],
    spots: Sequence[tuple[float, float]],
    best: Sequence[bool],
    steps: Sequence[tuple[float, float]],
    y: Axis,
) -> tuple[Point, ...]:
    """``known``: quality and price of each variant; ``spots``: where they stand."""
    ends = [(_down(y, q.ci_high), _down(y, q.ci_low)) for q, _ in known]
    whiskers = [
        (spot[0], top, spot[0], bottom)
        for spot, (top, bottom) in zip(spots, ends, strict=True)
        if top is not None and bottom is not None
    ]
    labels = place([q.variant for q, _ in known], spots, HEIGHT, whiskers + _segments(steps))
    return tuple(
        Point(
            variant=q.variant,
            x=spot[0],
            y=spot[1],
            low=bottom,
            high=top,
            label=label,
            on=on,
            candidate=q.variant == material.candidate,
            said=f"{q.metric} {number(q.estimate)} ({interval(q.ci_low, q.ci_high)}), "
            f"{p.metric} {number(p.estimate)}",
        )
        for (q, p), spot, (top, bottom), label, on in zip(
            known, spots, ends, labels, best, strict=True
        )
    )


def _down(scale: Axis, value: float | None) -> float | None:
    """Percent from the top, as SVG counts."""
    return None if value is None else round(100 - scale.at(value), 3)


def _frontier(points: Sequence[tuple[float, float]], lower: bool) -> list[bool]:
    """Whether each (quality, price) is dominated by none."""
    sign = -1 if lower else 1
    sided = [(sign * q, p) for q, p in points]
    return [
        not any(a >= q and b <= p and (a > q or b < p) for j, (a, b) in enumerate(sided) if j != i)
        for i, (q, p) in enumerate(sided)
    ]


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What quality a price buys: flat until the next variant of the frontier."""
    ordered = sorted(points)
    drawn = ordered[:1]
    for before, after in pairwise(ordered):
        drawn += [(after[0], before[1]), after]
    return drawn if len(ordered) > 1 else []


def _segments(steps: Sequence[tuple[float, float]]) -> list[Box]:
    return [
        (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
        for a, b in pairwise(steps)
    ]
