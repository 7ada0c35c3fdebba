"""Where a rule is held: its tasks, references and slices in one run, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.compare.aligned import MetricInfo, TaskData
from harness.compare.derived import LATENCIES
from harness.compare.pairs import has_key, metadata_keys, slices
from harness.errors import did_you_mean
from harness.gate.ruling import metric_info
from harness.gate.validity import Place
from harness.rules import BEST
from harness.types import Rule

Tasks = Mapping[str, TaskData]
Variants = Mapping[str, Mapping[str, Any]]


def tasks_of(tasks: Tasks, rule: Rule) -> list[TaskData]:
    """The tasks in which ``rule`` must hold: its own, or all that have its metric."""
    named = [t for t in tasks.values() if rule.task in (None, t.name)]
    return [t for t in named if rule.metric in t.infos]


def references(variants: Variants, rule: Rule, candidate: str) -> list[str | None]:
    """The variants that ``rule`` holds the candidate against; [None] for a guardrail.

    ``best``: every other variant that is not known to have an adapter, so that in an imported
    run, which does not say, it is every other one.
    """
    if rule.role == "guardrail":
        return [None]
    if rule.versus != BEST:
        return [rule.versus]
    return [v for v, m in variants.items() if v != candidate and m.get("has_adapter") is not True]


def places(task: TaskData, rule: Rule, candidate: str, versus: str | None) -> Iterator[Place]:
    """The whole task, or each slice among the samples that are compared."""
    if rule.slice is None:
        yield Place(task, versus)
        return
    sides = task.variants if versus is None else (candidate, versus)
    for label, keep in slices(task, rule.slice, sides):
        yield Place(task, versus, label, rule.slice, keep)


def differences(variants: Variants, candidate: str, versus: str) -> list[str]:
    """What of the two recipes differs, as dotted keys: what may differ, and so is to be shown."""
    mine, theirs = (_flat(variants.get(v, {}).get("recipe") or {}) for v in (candidate, versus))
    keys = dict.fromkeys([*mine, *theirs])
    return [key for key in keys if key != "name" and mine.get(key) != theirs.get(key)]


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def not_measured(absent: Variants, rule: Rule, candidate: str) -> str | None:
    """Which variant of the suite the rule speaks of and this run left out; None: none.

    ``absent``: the manifest's ``not_measured``. The rule is well-formed, but the run cannot
    support it: of the variants that happened to be measured, `best` would be an easier one.
    """
    if candidate in absent:
        return f"the candidate '{candidate}' was {_MEASURE}"
    if rule.versus in absent:
        return f"'{rule.versus}' was {_MEASURE}"
    rivals = [f"'{name}'" for name in without_adapter(absent)]
    if rule.versus == BEST and rivals:
        were = f"{', '.join(rivals)} {'was' if len(rivals) == 1 else 'were'}"
        return f"'{BEST}' is every variant without an adapter, and {were} {_MEASURE}"
    return None


_MEASURE = "not measured in this run: run the suite without --variant (or --staged)"


def without_adapter(absent: Variants) -> list[str]:
    """Names of the variants left out that a verdict would have to reckon with."""
    return [name for name, about in absent.items() if about.get("has_adapter") is not True]


def fault(tasks: Tasks, variants: Variants, rule: Rule, candidate: str) -> str | None:
    """What in ``rule`` this run does not know or cannot mean; None: nothing."""
    return (
        unknown_candidate(variants, candidate)
        or _unknown_name(tasks, variants, rule)
        or _impossible(tasks_of(tasks, rule), rule)
    )


def unknown_candidate(variants: Variants, candidate: str) -> str | None:
    if candidate in variants:
        return None
    hint = did_you_mean(candidate, variants)
    return f"the run has no variant '{candidate}', the candidate.{hint}"


def _unknown_name(tasks: Tasks, variants: Variants, rule: Rule) -> str | None:
    if rule.versus not in (None, BEST, *variants):
        hint = did_you_mean(str(rule.versus), variants)
        return f"the run has no variant '{rule.versus}', named in 'versus'.{hint}"
    if rule.task not in (None, *tasks):
        return f"the run has no task '{rule.task}'.{did_you_mean(str(rule.task), tasks)}"
    held = tasks_of(tasks, rule)
    if not held:
        metrics = {m for t in tasks.values() if rule.task in (None, t.name) for m in t.infos}
        where = f" in task '{rule.task}'" if rule.task else ""
        if rule.metric in LATENCIES:
            return (
                f"the run has no metric '{rule.metric}'{where}: latency needs a probe, as the time "
                "of a batch is nobody's waiting time. Measure again with `harness run --probe N`"
            )
        return f"the run has no metric '{rule.metric}'{where}.{did_you_mean(rule.metric, metrics)}"
    if rule.slice and not any(has_key(t, rule.slice) for t in held):
        keys = set().union(*(metadata_keys(t) for t in held))
        hint = did_you_mean(rule.slice, keys)
        return f"no sample has the metadata key '{rule.slice}', named in 'slice'.{hint}"
    return None


def _points(value: float, span: float) -> str:
    return (
        f" For {value:g} percent points write {value / 100:g}." if span == 1 < value <= 100 else ""
    )


def _empty_limit(rule: Rule, info: MetricInfo) -> str | None:
    """A guardrail that every value of the metric keeps, or none.

    Not held against a range that was only read off imported values.
    """
    low, high = info.scale.low, info.scale.high
    if info.imported and rule.bounds is None:
        return None
    for key, limit in (("max", rule.max), ("min", rule.min)):
        if limit is None:
            continue
        below, above = low is not None and limit < low, high is not None and limit > high
        kept = limit == (high if key == "max" else low)
        if below or above or kept:
            ends = " to ".join("unbounded" if end is None else f"{end:g}" for end in (low, high))
            said = "says nothing" if kept else "lies outside it"
            hint = _points(limit, (high or 0.0) - (low or 0.0))
            return f"{rule.metric} has the range {ends}, so '{key} = {limit:g}' {said}.{hint}"
    return None


def _impossible(held: list[TaskData], rule: Rule) -> str | None:
    for task in held:
        known, info = task.infos[rule.metric], metric_info(rule, task)
        if info.quantile is not None and rule.role != "guardrail":
            return (
                f"{rule.metric} is a quantile, which has no paired difference: use it as a "
                "guardrail, with 'max'"
            )
        said = None if rule.direction is None else rule.direction == "higher"
        if said is not None and known.higher_is_better not in (None, said):
            better = "higher" if known.higher_is_better else "lower"
            return f"'direction' is '{rule.direction}', but for {rule.metric} {better} is better"
        if rule.bounds and not known.imported and not known.derived:
            return f"'bounds' are for imported metrics; {rule.metric} states its own range"
        span = info.scale.span
        if rule.margin is not None and span is not None and rule.margin >= span:
            return (
                f"'margin' is {rule.margin:g}, as much as the whole range of {rule.metric} "
                f"({span:g}) or more.{_points(rule.margin, span)}"
            )
        if empty := _empty_limit(rule, info):
            return empty
    return None
