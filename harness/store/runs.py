"""Run folders: the only code that writes or reads one. The format: ``docs/architecture.md``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import fingerprints
from harness.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
MANIFEST = "run.json"
OUTPUTS = "outputs.parquet"
SCORES = "scores.parquet"
JUDGMENTS = "judgments.parquet"
"""Only in runs with a judge."""
LATEST = "latest"

OUTPUT_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("task", "sample_id", "variant", "cluster", "metadata", "input", "target"), ""),
    **dict.fromkeys(("prompt", "output", "retrieved"), ""),
    "latency_s": "float64",
    "tokens_in": "int64",
    "tokens_out": "int64",
    "cost": "float64",
    **dict.fromkeys(("finish_reason", "error"), ""),
}
"""Name to Arrow type of ``outputs.parquet``, in order; empty: string."""
SCORE_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("task", "sample_id", "variant", "metric"), ""),
    "value": "float64",
    "reason": "",
}
"""Name to Arrow type of ``scores.parquet``, in order; empty: string."""
JUDGMENT_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("task", "sample_id", "variant", "metric", "judge"), ""),
    "repeat": "int64",
    "order": "",
    "value": "float64",
    **dict.fromkeys(("verdict", "rationale", "raw", "reason"), ""),
}
"""Name to Arrow type of ``judgments.parquet``, in order; empty: string."""
OUTPUT_KEYS = ("task", "sample_id", "variant")
SCORE_KEYS = ("task", "sample_id", "variant", "metric")
JUDGMENT_KEYS = (*SCORE_KEYS, "judge", "repeat")


_OWN = ("schema_version", "files", "manifest_sha256")
"""Keys of the manifest that only the writer fills in."""


@dataclass(frozen=True)
class Run:
    """Everything measured about a suite's variants: the manifest and two Arrow tables."""

    path: Path | None
    """Its folder; None: not written yet."""
    manifest: dict[str, Any]
    outputs: pa.Table
    """Schema ``outputs_schema()``, or those of its columns that were asked for."""
    scores: pa.Table
    """Schema ``scores_schema()``."""
    tampered: tuple[str, ...] = ()
    """Files whose content is not what was written, by the hashes in ``run.json``."""
    judgments: pa.Table | None = None
    """Schema ``judgments_schema()``; None: no judge, or not loaded (``judgments_of``)."""


def outputs_schema() -> pa.Schema:
    """A row a task, sample and variant."""
    return _schema(OUTPUT_COLUMNS, OUTPUT_KEYS)


def scores_schema() -> pa.Schema:
    """A row a task, sample, variant and metric; ``value`` is null where unscored."""
    return _schema(SCORE_COLUMNS, SCORE_KEYS)


def judgments_schema() -> pa.Schema:
    """A row a task, sample, variant, metric, judge, repeat and order; ``value`` (pointwise) and
    ``verdict`` (pairwise, in the order variant, reference) are null where unparseable."""
    return _schema(JUDGMENT_COLUMNS, JUDGMENT_KEYS)


def _schema(columns: Mapping[str, str], keys: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        pa.field(name, pa.type_for_alias(kind or "string"), nullable=name not in keys)
        for name, kind in columns.items()
    )


def outputs_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of ``outputs_schema()``; a missing key is null, an unknown one KeyError."""
    return _table(rows, outputs_schema())


def scores_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of ``scores_schema()``; a missing key is null, an unknown one KeyError."""
    return _table(rows, scores_schema())


def _table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    rows = list(rows)
    names = set(schema.names)
    for row in rows:
        if unknown := sorted(set(row) - names):
            raise KeyError(f"no column {unknown} in a run's table")
    return pa.Table.from_pylist(rows, schema=schema)


# --------------------------------------------------------------------------- writing


def write_run(
    folder: Path,
    manifest: Mapping[str, Any],
    outputs: pa.Table,
    scores: pa.Table,
    *,
    judgments: pa.Table | None = None,
    replace: bool = False,
) -> Path:
    """Write a run whole, or not at all, and return its folder.

    ``schema_version`` and ``files`` of the manifest are filled in here. Raises RunError where
    ``folder`` holds something already and ``replace`` is not said, where it cannot be written
    (a full disk), and where a table has not the columns of its schema or a value that is NaN or
    infinite (such a score is null, with a reason).
    """
    tables = {
        OUTPUTS: _conform(outputs, outputs_schema(), OUTPUTS),
        SCORES: _conform(scores, scores_schema(), SCORES),
    }
    if judgments is not None:
        tables[JUDGMENTS] = _conform(judgments, judgments_schema(), JUDGMENTS)
    _refuse_non_finite(tables[SCORES])
    folder = folder.absolute()
    staging = None
    try:
        if not replace:
            _refuse_occupied(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A sibling, as only a rename within one file system is atomic.
        staging = Path(
            tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent)
        )
        _write_files(staging, manifest, tables)
        move_into_place(staging, folder, replace=replace)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
    return folder


def check_place(folder: Path) -> None:
    """Raise RunError now where ``write_run`` could not write ``folder`` later.

    Nothing is made; a disk that fills up meanwhile is not foreseen.
    """
    folder = folder.absolute()
    try:
        _refuse_occupied(folder)
        above = next(p for p in folder.parents if os.path.lexists(p))
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"Cannot write the run to '{folder}': {error.strerror or error}. Free some space, correct "
        "the permissions, or name another folder with --out."
    )


def _conform(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """``table`` with the columns and types of ``schema``, in its order; else RunError."""
    import pyarrow as pa

    missing = [c for c in schema.names if c not in table.column_names]
    unknown = [c for c in table.column_names if c not in schema.names]
    if missing or unknown:
        raise RunError(
            f"{name} has the wrong columns: missing {missing}, unknown {unknown}. "
            f"It must have {', '.join(schema.names)}."
        )
    try:
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowNotImplementedError, ValueError) as error:
        raise RunError(f"{name} has a column of a wrong type or a null key: {error}") from error
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise RunError(f"{name}: the column '{field.name}' is null in some rows.")
    return table


def _refuse_non_finite(scores: pa.Table) -> None:
    import pyarrow.compute as pc

    bad = pc.fill_null(pc.invert(pc.is_finite(scores["value"])), False)
    if pc.any(bad).as_py():
        row = scores.filter(bad).slice(0, 1).to_pylist()[0]
        raise RunError(
            f"The score {row['value']} of metric '{row['metric']}' (task '{row['task']}', variant "
            f"'{row['variant']}', sample '{row['sample_id']}') is not a number that can be "
            "averaged. Make it null and give a reason: that is unscored."
        )


def _refuse_occupied(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise RunError(f"'{folder}' exists already. Name another folder, or remove it first.")


def _write_files(
    staging: Path, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]
) -> None:
    import pyarrow.parquet as pq

    for name, table in tables.items():
        pq.write_table(table, staging / name, compression="zstd")
        _sync(staging / name)
    full: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **{k: v for k, v in manifest.items() if k not in _OWN},
        "files": {name: fingerprints.of_file(staging / name) for name in tables},
    }
    full["manifest_sha256"] = _manifest_sha256(full)
    text = json.dumps(fingerprints.plain(full), indent=2, ensure_ascii=False, allow_nan=False)
    # Only a lone surrogate cannot be encoded, and its backslash form is its JSON escape.
    (staging / MANIFEST).write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")
    _sync(staging / MANIFEST)
    _sync(staging)


def _manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """Hash of the manifest's content, but for the place where it is kept."""
    return fingerprints.of({k: v for k, v in manifest.items() if k != "manifest_sha256"})


def move_into_place(staging: Path, folder: Path, *, replace: bool) -> None:
    """Rename ``staging``, a sibling, to ``folder``; what stood there goes when it is in place."""
    # mkdtemp makes folders that only their owner may read; a run is shared like any other file.
    mask = os.umask(0)
    os.umask(mask)
    staging.chmod(0o777 & ~mask)
    aside = None
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()
    elif replace and folder.exists():
        aside = staging.with_suffix(".old")
        folder.rename(aside)
    try:
        staging.rename(folder)
    except OSError:
        if aside is not None:
            aside.rename(folder)
        raise
    _sync(folder.parent)
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and so cannot flush one.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --------------------------------------------------------------------------- reading


def read_run(folder: Path, *, columns: Sequence[str] | None = None) -> Run:
    """Read a run folder, or the folder that a ``latest`` pointer names.

    ``columns``: those of ``outputs.parquet`` to load; None: all. Raises RunError with the remedy
    for a folder that is no run, one of another schema version and one that is damaged. Files
    whose content has changed since they were written are named in ``Run.tampered``.
    """
    folder = latest(folder)
    manifest = read_manifest(folder)
    files = manifest.get("files")
    stated = files if isinstance(files, dict) else {}
    tampered = []
    judged = JUDGMENTS in stated
    for name in (OUTPUTS, SCORES, JUDGMENTS)[: 2 + judged]:
        if not (folder / name).is_file():
            raise RunError(
                f"'{folder}' has no {name}: the run is incomplete. Copy the whole folder again, "
                "or measure again."
            )
        if fingerprints.of_file(folder / name) != stated.get(name):
            tampered.append(name)
    # The manifest holds the rules and the fingerprints that a verdict rests on.
    if _manifest_sha256(manifest) != manifest.get("manifest_sha256"):
        tampered.append(MANIFEST)
    return Run(
        folder,
        manifest,
        _read_table(folder / OUTPUTS, outputs_schema(), columns),
        _read_table(folder / SCORES, scores_schema(), None),
        tuple(tampered),
    )


def judgments_of(run: Run) -> pa.Table | None:
    """The judges' single verdicts; None where the run has no judge. Raises RunError where the
    file is damaged."""
    if run.judgments is not None or run.path is None:
        return run.judgments
    if JUDGMENTS not in (run.manifest.get("files") or {}):
        return None
    return _read_table(run.path / JUDGMENTS, judgments_schema(), None)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The object in a run folder's ``run.json``, of this schema version; else RunError."""
    path = folder / MANIFEST
    if not path.is_file():
        what = "is no run: it has no run.json" if folder.exists() else "does not exist"
        raise RunError(
            f"'{folder}' {what}. A run is a folder that `harness run` or `harness import` wrote."
        )
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise RunError(f"'{path}' is not JSON ({error}): the run is damaged.") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise RunError(f"'{path}' has no schema_version: it is not a run of this harness.")
    if version > SCHEMA_VERSION:
        raise RunError(
            f"'{path}' has schema version {version}, and this harness reads {SCHEMA_VERSION}: "
            "a newer harness wrote it. Upgrade: python -m pip install -U shipworthy"
        )
    if version < SCHEMA_VERSION:
        raise RunError(
            f"'{path}' has schema version {version}, and this harness reads {SCHEMA_VERSION}. "
            "Measure again (`harness run`), import again (`harness import`), or read it with the "
            f"release that wrote it ({manifest.get('harness_version', 'unknown')})."
        )
    for key in ("tasks", "variants"):
        if not isinstance(manifest.get(key), dict):
            raise RunError(f"'{path}' has no object '{key}': the run is damaged.")
    return dict(manifest)


def _read_table(path: Path, schema: pa.Schema, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if columns is not None:
        schema = pa.schema([schema.field(name) for name in schema.names if name in set(columns)])
    try:
        # A file, as pyarrow would read a folder name like `task=a` as a partition. pyarrow's own
        # and no threads: buffers of a Python file, let go by a thread while the interpreter ends,
        # abort the process, whose exit code is then no verdict (apache/arrow#34314).
        with pa.OSFile(os.fsencode(path)) as file:
            names = None if columns is None else schema.names
            table = pq.ParquetFile(file).read(names, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"'{path}' cannot be read ({error}): the run is damaged.") from error
    return _conform(table, schema, str(path))


def latest(folder: Path) -> Path:
    """The run folder that ``folder`` means.

    Itself where it is a run; the run that ``latest`` points at (a symbolic link, or a text file
    with the folder's name) where it is that pointer or the folder that holds one.
    """
    if not (folder / MANIFEST).is_file() and folder.is_dir() and os.path.lexists(folder / LATEST):
        folder = folder / LATEST
    if folder.name == LATEST and folder.is_file():
        # The pointer where links are not allowed (Windows).
        name = folder.read_text(encoding="utf-8").strip()
        return folder.parent / name
    return folder.resolve() if folder.is_symlink() else folder


def point_latest(folder: Path) -> None:
    """Make ``latest`` beside ``folder`` point at it, at once: no reader sees it missing.

    Raises RunError where it cannot: a pointer at an earlier run would be taken for this one.
    """
    pointer = folder.absolute().parent / LATEST
    staging = pointer.with_name(f".{LATEST}.{os.getpid()}.tmp")
    try:
        staging.unlink(missing_ok=True)
        try:
            staging.symlink_to(folder.name, target_is_directory=True)
        except OSError:
            staging.write_text(folder.name + "\n", encoding="utf-8")
        os.replace(staging, pointer)
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise RunError(
            f"The run is in '{folder}', but '{pointer}' cannot be made to point at it: "
            f"{error.strerror or error}. Remove '{pointer}', and gate the run by its own name."
        ) from error
