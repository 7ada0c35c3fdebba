"""Several runs as one, their variants named ``run/variant``, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compare.aligned import COLUMNS
from harness.errors import InvalidRun
from harness.store.runs import Run

MUST_MATCH = ("definition", "version", "higher_is_better", "low", "high", "binary")
"""What two runs must say alike of a metric for its values to be comparable."""


def merge(runs: Sequence[tuple[str, Run]]) -> tuple[Run, list[str]]:
    """The named runs as one run in memory, and warnings.

    Samples are matched by id. Raises InvalidRun where the runs have no task in common, or
    a common task or metric is of another version. Inputs and targets are compared sample by
    sample where the pairs are made. Runs of different ``repeats`` have no pairs: InvalidRun too.
    """
    import pyarrow as pa

    shared = [
        t for t in runs[0][1].manifest["tasks"] if all(t in r.manifest["tasks"] for _, r in runs)
    ]
    if not shared:
        raise InvalidRun("The runs have no task in common, so there is nothing to compare.")
    warnings = [
        f"task '{task}' is only in run '{name}' and is left out."
        for name, run in runs
        for task in run.manifest["tasks"]
        if task not in shared
    ]
    repeats = {name: run.manifest.get("repeats") or 1 for name, run in runs}
    if len(set(repeats.values())) > 1:
        said = ", ".join(f"{k} in run '{name}'" for name, k in repeats.items())
        raise InvalidRun(
            f"The runs have different repeats ({said}), so their answers cannot be paired. "
            "Measure again with one number."
        )
    tasks = {task: _common(task, runs, warnings) for task in shared}
    manifest = {
        "kind": "run" if all(r.manifest.get("kind") == "run" for _, r in runs) else "import",
        "repeats": next(iter(repeats.values())),
        "tasks": {name: {**task, "n": None} for name, task in tasks.items()},
        "variants": {
            f"{name}/{variant}": entry
            for name, run in runs
            for variant, entry in run.manifest["variants"].items()
        },
    }
    outputs, scores = (
        pa.concat_tables([_renamed(getattr(run, table), name, shared) for name, run in runs])
        for table in ("outputs", "scores")
    )
    tampered = tuple(f"{name}/{file}" for name, run in runs for file in run.tampered)
    return Run(None, manifest, outputs, scores, tampered), warnings


def _renamed(table: Any, name: str, tasks: Sequence[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.select([c for c in table.column_names if c in (*COLUMNS, "metric", "value")])
    table = table.filter(pc.is_in(table["task"], pa.array(tasks, pa.string())))
    variant = pc.binary_join_element_wise(pa.scalar(name), table["variant"], "/")
    return table.set_column(table.column_names.index("variant"), "variant", variant)


def _common(task: str, runs: Sequence[tuple[str, Run]], warnings: list[str]) -> dict[str, Any]:
    """The manifest entry of ``task`` on which the runs agree; None (imported) agrees with all."""
    what = f"task '{task}'"
    entries = [(name, run.manifest["tasks"][task] or {}) for name, run in runs]
    _agreed(entries, "version", what, warnings)
    listed = [(run, entry.get("metrics") or {}) for run, entry in entries]
    metrics: dict[str, Any] = {}
    for name in dict.fromkeys(metric for _, found in listed for metric in found):
        said = [(run, found[name]) for run, found in listed if name in found]
        imported = [entry for _, entry in said if entry.get("definition") is None]
        keys = MUST_MATCH[:3] if imported else MUST_MATCH
        where = f"{what}, metric '{name}'"
        metric = {key: _agreed(said, key, where, warnings) for key in keys}
        if imported:
            metric |= _widest([entry for _, entry in said])
        metrics[name] = metric
    return {**entries[0][1], "metrics": metrics}


def _agreed(
    said: Sequence[tuple[str, Mapping[str, Any]]], key: str, what: str, warnings: list[str]
) -> Any:
    known = [(name, entry.get(key)) for name, entry in said if entry.get(key) is not None]
    for name, value in known:
        if value != known[0][1]:
            raise InvalidRun(
                f"{what}: '{key}' is {known[0][1]!r} in run '{known[0][0]}' and {value!r} in run "
                f"'{name}'. Values measured differently cannot be compared; measure again."
            )
    if known and len(known) < len(said) and key == "version":
        warnings.append(f"{what}: the version is not known in every run.")
    return known[0][1] if known else None


def _widest(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Imported ranges are read off the values: the runs together have the widest of them."""
    lows: list[Any] = [e.get("low") for e in entries]
    highs: list[Any] = [e.get("high") for e in entries]
    return {
        "low": None if None in lows else min(lows),
        "high": None if None in highs else max(highs),
        "binary": all(e.get("binary") is True for e in entries),
    }
