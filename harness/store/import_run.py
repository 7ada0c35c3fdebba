"""Imported rows -> a run folder."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__, fingerprints
from harness.errors import DataError, RunError
from harness.store.imports import read_scores, refuse_contradictions
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


@dataclass(frozen=True)
class Origin:
    """Where rows come from that were not written as our JSONL."""

    source: str
    """Names of the files."""
    tool: str
    version: str | None
    warnings: tuple[str, ...] = ()


def import_scores(
    source: Path,
    out: Path,
    *,
    append: bool = False,
    command: list[str] | None = None,
    origin: Origin | None = None,
) -> tuple[Path, list[str]]:
    """Write the rows of ``source`` (JSONL) as the run folder ``out``; its path and warnings.

    ``append``: add them, as another batch, to the imported run that is there. ``origin``: what
    the rows were read from, where ``source`` was made of another tool's files. Raises DataError
    for the rows (see ``read_scores`` and ``refuse_contradictions``) and RunError for the folder;
    then nothing is written.
    """
    occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if occupied and append:
        with _alone(out):
            return _import(source, out, _earlier(out), command or [], origin)
    if occupied:
        raise RunError(
            f"'{out}' exists already. Name another folder, or add to the run with --append."
        )
    return _import(source, out, None, command or [], origin)


def _import(
    source: Path, out: Path, before: Run | None, command: list[str], origin: Origin | None
) -> tuple[Path, list[str]]:
    import numpy as np
    import pyarrow as pa

    new = read_scores(source)
    if not new.scores.num_rows:
        raise DataError(f"{source}: no row has a score.")
    outputs, scores, lines = new.outputs, new.scores, new.lines
    if before is not None:
        outputs = pa.concat_tables([before.outputs, outputs])
        scores = pa.concat_tables([before.scores, scores])
        lines = np.concatenate([np.zeros(before.outputs.num_rows, np.int64), lines])
    refuse_contradictions(outputs, lines, source)
    warnings = [
        *(origin.warnings if origin else ()),
        *(
            f"{source}: the unknown key '{key}' was ignored in {n} rows."
            for key, n in sorted(new.extra.items())
        ),
    ]
    manifest = _manifest(outputs, scores, before, warnings, command)
    batch = {"source": source.name, "rows": len(new.lines), "created": manifest["created"]}
    if origin is not None:
        batch |= {"source": origin.source, "tool": origin.tool, "tool_version": origin.version}
    manifest["batches"] = [*(_batches(before) if before else ()), batch]
    manifest["fingerprint"] = fingerprints.of(
        [fingerprints.of_file(source), before.manifest.get("fingerprint") if before else None]
    )
    # Not ``out``, which may be a pointer: what it points at is what was read.
    folder = before.path if before and before.path else out
    return write_run(folder, manifest, outputs, scores, replace=before is not None), warnings


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two appends at once would each keep only their own rows: the second one waits."""
    from filelock import FileLock

    lock = out.absolute().with_name(f".{out.name}.lock")
    try:
        lock.touch()
    except OSError as error:
        raise RunError(f"Cannot write beside '{out}': {error.strerror or error}.") from error
    with FileLock(str(lock)):
        yield


def _earlier(out: Path) -> Run:
    """The run to append to."""
    run = read_run(out)
    if run.manifest.get("kind") != "import":
        raise RunError(f"'{out}' was measured, not imported: nothing can be appended to it.")
    if run.tampered:
        raise RunError(
            f"'{out}': {', '.join(run.tampered)} changed after it was written. Import again."
        )
    return run


def _batches(run: Run) -> list[dict[str, Any]]:
    """Those on record; of a run from before batches were recorded, one of unknown source."""
    known = run.manifest.get("batches")
    if known:
        return list(known)
    created = run.manifest.get("created")
    return [{"source": None, "rows": run.outputs.num_rows, "created": created}]


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
    found = table.group_by("metric", use_threads=False).aggregate(
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
