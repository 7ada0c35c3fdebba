"""Variants x metrics, what each variant is made of, and what it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.compare.aligned import DERIVED
from harness.report.axis import Axis, axis
from harness.report.forest import Bar, draw
from harness.report.words import interval, number, plain_number
from harness.types import Summary

if TYPE_CHECKING:
    from harness.store.runs import Run


UNITS = {
    "latency_p50": "median, seconds",
    "latency_p95": "95th percentile, seconds",
    "tokens_in": "mean of a request",
    "tokens_out": "mean of a request",
    "tokens_per_1k_requests": "in and out, 1,000 requests",
    "cost": "mean of a request",
    "cost_per_1k_requests": "1,000 requests",
}
_SHARES = {"refusal": "share of answers"}


@dataclass(frozen=True, slots=True)
class Cell:
    estimate: str
    interval: str
    n: int
    n_unscored: int
    best: bool
    bar: Bar


@dataclass(frozen=True, slots=True)
class Column:
    metric: str
    better: str
    """``higher`` or ``lower`` is better."""
    unit: str
    definition: str
    version: str


@dataclass(frozen=True, slots=True)
class MetricTable:
    task: str
    costs: bool
    """Of latency, tokens and cost, apart from what was scored."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    """Variant and its cells in the order of the columns; None: not measured."""
    level: float


@dataclass(frozen=True, slots=True)
class Part:
    """What a variant is made of."""

    variant: str
    chips: tuple[str, ...]
    model: str
    precision: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back of a variant in a task."""

    task: str
    variant: str
    n: int
    cut: int
    """Stopped at the token limit."""
    errors: int


def metric_info(manifest: Mapping[str, Any], task: str, metric: str) -> Mapping[str, Any]:
    """What the manifest says of a metric; empty where it says nothing."""
    info = ((manifest["tasks"].get(task) or {}).get("metrics") or {}).get(metric)
    return info if isinstance(info, Mapping) else {}


def lower_is_better(
    manifest: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], task: str, metric: str
) -> bool:
    """As the scorer says; for imported metrics as the rules say; else higher is better.

    What is read off the outputs (latency, tokens, cost) is better when it is lower.
    """
    said = metric_info(manifest, task, metric).get("higher_is_better")
    if said is not None:
        return not said
    return (metric in DERIVED and not metric_info(manifest, task, metric)) or "lower" in {
        r.get("direction") for r in rules if r.get("metric") == metric
    }


# ---------------------------------------------------------------------------- metrics


def metric_tables(
    manifest: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], summaries: Sequence[Summary]
) -> list[MetricTable]:
    tasks = dict.fromkeys([*manifest["tasks"], *(s.task for s in summaries)])
    return [
        _table(manifest, rules, task, costs, found)
        for task in tasks
        for costs in (False, True)
        if (found := [s for s in summaries if s.task == task and _is_cost(manifest, s) is costs])
    ]


def _is_cost(manifest: Mapping[str, Any], s: Summary) -> bool:
    """Read off the outputs (latency, tokens, cost) rather than scored."""
    return s.metric in DERIVED and not metric_info(manifest, s.task, s.metric)


def _table(
    manifest: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]],
    task: str,
    costs: bool,
    summaries: Sequence[Summary],
) -> MetricTable:
    cells = {(s.variant, s.metric): s for s in summaries}
    metrics = list(dict.fromkeys(s.metric for s in summaries))
    names = dict.fromkeys([*manifest["variants"], *(s.variant for s in summaries)])
    lower = {m: lower_is_better(manifest, rules, task, m) for m in metrics}
    best = {m: _best([s for s in summaries if s.metric == m], lower[m]) for m in metrics}
    scales = {
        m: axis(
            [v for s in summaries if s.metric == m for v in (s.estimate, s.ci_low, s.ci_high)],
            pad=0.04,
        )
        for m in metrics
    }
    columns = tuple(
        Column(
            m,
            "lower" if lower[m] else "higher",
            (UNITS if costs else _SHARES).get(m, ""),
            str(metric_info(manifest, task, m).get("definition") or ""),
            str(metric_info(manifest, task, m).get("version") or ""),
        )
        for m in metrics
    )
    rows = tuple(
        (v, tuple(_cell(cells.get((v, m)), best[m], scales[m]) for m in metrics)) for v in names
    )
    return MetricTable(task, costs, columns, rows, summaries[0].ci_level)


def _best(summaries: Sequence[Summary], lower: bool) -> float | None:
    """The best mean of a column, where there is something to be better than."""
    values = [s.estimate for s in summaries if s.estimate is not None]
    if len(values) < 2 or min(values) == max(values):
        return None
    return min(values) if lower else max(values)


def _cell(s: Summary | None, best: float | None, scale: Axis) -> Cell | None:
    if s is None:
        return None
    return Cell(
        estimate=number(s.estimate),
        interval=interval(s.ci_low, s.ci_high),
        n=s.n,
        n_unscored=s.n_unscored,
        best=best is not None and s.estimate == best,
        bar=draw("plain", s.estimate, s.ci_low, s.ci_high, scale),
    )


# ------------------------------------------------------------------------------ parts


def parts(manifest: Mapping[str, Any]) -> list[Part]:
    return [_part(name, about or {}) for name, about in manifest["variants"].items()]


def _part(name: str, about: Mapping[str, Any]) -> Part:
    recipe = about.get("recipe") or {}
    chips = []
    if recipe.get("system") is not None:
        chips.append("own system prompt")
    if shots := recipe.get("shots"):
        chips.append(f"{shots.get('k', '?')} {shots.get('select', '')} shots".replace("  ", " "))
    if retriever := recipe.get("retriever"):
        chips.append(f"{retriever.get('kind', 'retrieval')}, top {retriever.get('k', '?')}")
    elif about.get("has_retriever"):
        chips.append("retriever")
    if about.get("has_adapter"):
        rank = (recipe.get("adapter") or {}).get("lora_r")
        chips.append("adapter" if rank is None else f"adapter, rank {rank}")
    generation = recipe.get("generation") or {}
    if generation.get("temperature"):
        chips.append(f"temperature {plain_number(generation['temperature'])}")
    if about.get("has_adapter") is None:
        chips.append("parts not known")
    elif not chips:
        chips.append("prompt only")
    if recipe.get("server"):
        chips.append("on a server")
    unknown = "not known"
    return Part(
        name, tuple(chips), recipe.get("model") or unknown, recipe.get("precision") or unknown
    )


def answers(run: Run) -> list[Answers]:
    """A row a task and variant; none where the run does not tell how its answers ended."""
    names = ("task", "variant", "finish_reason", "error")
    counts: dict[tuple[str, str], list[int]] = {}
    told = False
    for task, variant, finish, error in zip(
        *(run.outputs[name].to_pylist() for name in names), strict=True
    ):
        found = counts.setdefault((task, variant), [0, 0, 0])
        found[0] += 1
        found[1] += finish == "length"
        found[2] += bool(error)
        told = told or bool(finish or error)
    return [Answers(*key, *found) for key, found in counts.items()] if told else []
