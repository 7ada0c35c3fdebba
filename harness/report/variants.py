"""Variants x metrics, what each variant is made of, and what it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.compare.aligned import DERIVED
from harness.report.axis import Axis, axis
from harness.report.forest import Bar
from harness.report.words import interval, number, plain_number
from harness.types import Summary

if TYPE_CHECKING:
    from harness.store.runs import Run


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
    definition: str
    version: str


@dataclass(frozen=True, slots=True)
class MetricTable:
    task: str
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
class Use:
    """What a variant used in a task, over its rows of outputs."""

    task: str
    variant: str
    n: int
    tokens_in: str
    tokens_out: str
    latency_p50: str
    latency_p95: str
    cost: str
    cut: int
    """Answers that stopped at the token limit."""
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
        _table(manifest, rules, task, found)
        for task in tasks
        if (found := [s for s in summaries if s.task == task])
    ]


def _table(
    manifest: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]],
    task: str,
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
            str(metric_info(manifest, task, m).get("definition") or ""),
            str(metric_info(manifest, task, m).get("version") or ""),
        )
        for m in metrics
    )
    rows = tuple(
        (v, tuple(_cell(cells.get((v, m)), best[m], scales[m]) for m in metrics)) for v in names
    )
    return MetricTable(task, columns, rows, summaries[0].ci_level)


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
        bar=Bar(
            "plain",
            None if s.ci_low is None else scale.at(s.ci_low),
            None if s.estimate is None else scale.at(s.estimate),
            None if s.ci_high is None else scale.at(s.ci_high),
        ),
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
    unknown = "not known"
    return Part(
        name, tuple(chips), recipe.get("model") or unknown, recipe.get("precision") or unknown
    )


# -------------------------------------------------------------------------------- use


def uses(run: Run) -> list[Use]:
    """What each variant used, a row a task and variant that has outputs."""
    import numpy as np

    table = run.outputs
    if not table.num_rows:
        return []
    # Through lists: `to_numpy` of a pyarrow table imports pandas, which takes most of a second.
    columns = {
        name: np.array(table[name].to_pylist(), dtype=float)
        for name in ("tokens_in", "tokens_out", "latency_s", "cost")
    }
    groups: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(*(table[c].to_pylist() for c in ("task", "variant")), strict=True)):
        groups.setdefault(key, []).append(i)
    finish, error = table["finish_reason"].to_pylist(), table["error"].to_pylist()
    rows = []
    for (task, variant), where in groups.items():
        known = {k: v[where][np.isfinite(v[where])] for k, v in columns.items()}
        rows.append(
            Use(
                task,
                variant,
                len(where),
                _mean(known["tokens_in"]),
                _mean(known["tokens_out"]),
                _quantile(known["latency_s"], 0.5),
                _quantile(known["latency_s"], 0.95),
                number(float(known["cost"].mean())) if known["cost"].size else "–",
                sum(finish[i] == "length" for i in where),
                sum(bool(error[i]) for i in where),
            )
        )
    known_use = [r for r in rows if {r.tokens_in, r.latency_p50, r.cost} != {"–"}]
    return known_use or [r for r in rows if r.cut or r.errors]


def _mean(values: Any) -> str:
    return f"{float(values.mean()):,.0f}" if values.size else "–"


def _quantile(values: Any, q: float) -> str:
    import numpy as np

    return f"{number(float(np.quantile(values, q)))} s" if values.size else "–"
