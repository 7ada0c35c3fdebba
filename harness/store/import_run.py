"""Imported rows -> a run folder."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__, fingerprints
from harness.errors import DataError, RunError
from harness.store.imports import Imported, read_scores
from harness.store.runs import Run, read_run, write_run

if TYPE_CHECKING:
    import pyarrow as pa


_VARIANT: dict[str, Any] = {
    "has_adapter": None,
    "has_retriever": None,
    "recipe": {},
    "fingerprints": {},
    "proof": None,
}


def import_scores(
    source: Path, out: Path, *, append: bool = False, command: list[str] | None = None
) -> tuple[Path, list[str]]:
    """Write the rows of ``source`` (JSONL) as the run folder ``out``; its path and warnings.

    ``append``: add them to the imported run that is there. Raises DataError for the rows (see
    ``read_scores``) and RunError for the folder; then nothing is written.
    """
    import pyarrow as pa

    into = Imported()
    before = _earlier(out, into) if append and out.exists() else None
    if not append and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"'{out}' exists already. Name another folder, or add to the run with --append."
        )
    read_scores(source, into)
    outputs, scores = pa.concat_tables(into.outputs), pa.concat_tables(into.scores)
    if not scores.num_rows:
        raise DataError(f"{source}: no row has a score.")
    warnings = [
        f"{source}: the unknown key '{key}' was ignored in {n} rows."
        for key, n in sorted(into.extra.items())
    ]
    manifest = _manifest(outputs, scores, before, warnings, command or [])
    manifest["fingerprint"] = fingerprints.of(
        [fingerprints.of_file(source), before.manifest.get("fingerprint") if before else None]
    )
    return write_run(out, manifest, outputs, scores, replace=before is not None), warnings


def _earlier(out: Path, into: Imported) -> Run:
    """The run to append to, its rows taken into ``into``."""
    run = read_run(out)
    if run.manifest.get("kind") != "import":
        raise RunError(f"'{out}' was measured, not imported: nothing can be appended to it.")
    if run.tampered:
        raise RunError(
            f"'{out}': {', '.join(run.tampered)} changed after it was written. Import again."
        )
    keys = run.outputs.select(["task", "sample_id", "variant", "cluster"])
    for batch in keys.to_batches():
        for row in batch.to_pylist():
            into.register(row, str(out), 0)
    into.outputs.append(run.outputs)
    into.scores.append(run.scores)
    return run


def _manifest(
    outputs: pa.Table, scores: pa.Table, before: Run | None, warnings: list[str], command: list[str]
) -> dict[str, Any]:
    ranges = _ranges(scores)
    unknown = {"definition": None, "higher_is_better": None, "version": None}
    counts = _samples_by_task(outputs)
    pairs = scores.group_by(["task", "metric"], use_threads=False).aggregate([]).to_pylist()
    tasks = {
        task: {
            **dict.fromkeys(("version", "n_train", "n_corpus", "data_sha256", "system", "prompt")),
            "n": n,
            "metrics": {
                metric: unknown | ranges[metric]
                for metric in (p["metric"] for p in pairs if p["task"] == task)
            },
        }
        for task, n in counts.items()
    }
    return {
        "kind": "import",
        "harness_version": __version__,
        "suite": None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": None,
        "limit": None,
        "repeats": None,
        "command": command,
        "tasks": tasks,
        "variants": {name: dict(_VARIANT) for name in outputs["variant"].unique().to_pylist()},
        "not_measured": {},
        "rules": before.manifest.get("rules") if before else None,
        "training": {},
        "environment": {"python": platform.python_version(), "platform": platform.platform()},
        "timings": {},
        "warnings": [*(before.manifest.get("warnings", []) if before else []), *warnings],
    }


def _samples_by_task(outputs: pa.Table) -> dict[str, int]:
    grouped = outputs.group_by("task", use_threads=False)
    counts = grouped.aggregate([("sample_id", "count_distinct")]).to_pylist()
    return {row["task"]: row["sample_id_count_distinct"] for row in counts}


def _ranges(scores: pa.Table) -> dict[str, dict[str, Any]]:
    """[0, 1] where every value of a metric lies within it, else not known; binary if all 0 or 1."""
    import pyarrow.compute as pc

    value = scores["value"]
    ends = pc.or_(pc.equal(value, 0.0), pc.equal(value, 1.0))
    inside = pc.and_(pc.greater_equal(value, 0.0), pc.less_equal(value, 1.0))
    table = scores.select(["metric"]).append_column("ends", ends).append_column("inside", inside)
    # `all` skips nulls, so a metric without one value would pass for binary.
    table = table.append_column("known", value)
    found = table.group_by("metric").aggregate(
        [("ends", "all"), ("inside", "all"), ("known", "count")]
    )
    return {
        row["metric"]: {
            "low": 0.0 if row["known_count"] and row["inside_all"] else None,
            "high": 1.0 if row["known_count"] and row["inside_all"] else None,
            "binary": bool(row["known_count"] and row["ends_all"]),
        }
        for row in found.to_pylist()
    }
