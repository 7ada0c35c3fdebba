"""Run -> aligned arrays: for each task, every variant's values over the same sorted samples.

The only place where samples are matched. Everything is vectorised over Arrow and numpy: a run of
a million rows is indexed in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.compare.columns import Bools as Bools
from harness.compare.columns import code_array, float_array, index_array, numbers
from harness.compare.derived import DERIVED as DERIVED
from harness.compare.derived import LATENCIES, Derived, derived_values, probe_of, probed_values
from harness.errors import RunError
from harness.stats.intervals import Scale
from harness.stats.mean import Codes, Floats

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.store.runs import Run

COLUMNS = (
    *("task", "sample_id", "variant", "cluster", "metadata", "input", "target", "output"),
    *("latency_s", "tokens_in", "tokens_out", "cost"),
)
"""Columns of ``outputs.parquet`` that comparisons need."""
TEXTS = ("input", "target", "cluster", "metadata", "output")


@dataclass(frozen=True)
class MetricInfo:
    """What is known of one metric of one task."""

    name: str
    higher_is_better: bool | None
    """None: imported, nobody said."""
    scale: Scale
    imported: bool
    quantile: float | None = None
    derived: bool = False
    """Latency, tokens or cost, which no scorer gives."""
    calibrated: bool = False
    """A judge's metric with a valid calibration."""
    uncalibrated: str | None = None
    """Why its calibration is not valid, where the run says so."""

    @property
    def judge(self) -> bool:
        return self.name.startswith("judge_")


@dataclass(frozen=True)
class TaskData:
    """One task of a run: V variants over S samples, sorted by id.

    A probed sample is one of them even where it was not measured otherwise.
    """

    name: str
    variants: tuple[str, ...]
    samples: pa.Array
    """(S,) sample ids."""
    present: Bools
    """(V, S) the variant has an output row for the sample."""
    touched: Bools
    """(V, S) the variant has any row, output or score, for the sample."""
    values: Mapping[str, Floats]
    """Metric -> (V, S); NaN: unscored. Derived metrics included."""
    codes: Mapping[str, Codes]
    """Text column -> (V, S); equal codes are equal texts, -1: not known."""
    metadata: tuple[str, ...]
    """The JSON text of each code of ``codes["metadata"]``."""
    infos: Mapping[str, MetricInfo]
    expected: int | None = None
    """Rows that the manifest of a measured run promises a variant; None: imported."""
    owners: Codes | None = None
    """(S,) with repeated answers: the sample that each row answers; None: each its own."""
    probed: Bools | None = None
    """(S,) the samples that latency was asked of; None: no probe, so of all."""
    seconds: Floats | None = None
    """(V, S) of the answer's batch, divided by its rows: what it cost, not what a user waited."""
    measured: bool = False
    """Made by ``harness run``: its manifest tells what there must be."""
    split_cluster: str | None = None
    """A cluster with samples in several batches of an appended run; None: there is none."""
    slices: dict[str, tuple[list[str], Codes]] = field(default_factory=dict, repr=False)
    """Slice labels by metadata key, kept once they are worked out (``pairs.slices``)."""

    def row(self, variant: str) -> int:
        return self.variants.index(variant)

    def asked(self, metric: str) -> Bools:
        """(S,) the samples that should have a value of ``metric``: a sample that was not probed
        lacks no latency."""
        if metric in LATENCIES and self.infos[metric].derived and self.probed is not None:
            return self.probed
        return np.asarray(self.touched.any(axis=0))

    @property
    def scored_metrics(self) -> list[str]:
        """Metrics that have scores or that the manifest promises, without the derived ones."""
        return [name for name, info in self.infos.items() if not info.derived]


def index(run: Run) -> dict[str, TaskData]:
    """Every task of ``run`` by name. Raises RunError for a doubled row."""
    outputs, scores = run.outputs, run.scores
    variants = _names(run.manifest["variants"], outputs, scores, "variant")
    tasks = _names(run.manifest["tasks"], outputs, scores, "task")
    parts = zip(
        tasks, _by_task(outputs, tasks, variants), _by_task(scores, tasks, variants), strict=True
    )
    return {name: _task(run, name, variants, out, scored) for name, out, scored in parts}


def _names(listed: Mapping[str, Any], *args: Any) -> tuple[str, ...]:
    """The manifest's names in its order, then any the tables have beside."""
    *tables, column = args
    found = {str(x) for t in tables for x in t[column].unique().to_pylist()}
    return (*listed, *sorted(found - set(listed)))


@dataclass(frozen=True)
class _Rows:
    """Rows of one table, and the variant of each as a number."""

    table: pa.Table
    variant: Codes

    def at(self, rows: Codes) -> _Rows:
        return _Rows(self.table.take(index_array(rows)), self.variant[rows])


def _by_task(table: pa.Table, tasks: tuple[str, ...], variants: tuple[str, ...]) -> list[_Rows]:
    rows = _Rows(table, code_array(table["variant"], variants))
    if len(tasks) == 1:
        return [rows]
    task = code_array(table["task"], tasks)
    return [rows.at(np.flatnonzero(task == t)) for t in range(len(tasks))]


def _task(run: Run, name: str, variants: tuple[str, ...], out: _Rows, scored: _Rows) -> TaskData:
    outputs, scores = out.table, scored.table
    imported = run.manifest.get("kind") != "run"
    probe = None if imported else probe_of(run.manifest, name)
    samples = _samples(outputs, scores, () if probe is None else probe.samples)
    shape = (len(variants), len(samples))
    place = _places(out, samples)
    _refuse_doubled(place, outputs, run)
    present = np.zeros(shape, bool)
    present.flat[place] = True
    score_place = _places(scored, samples)
    touched = present.copy()
    touched.flat[score_place] = True
    codes, metadata = _texts(outputs, place, shape)
    values = _values(scores, score_place, shape, run)
    # A score of a sample that has no output row was not measured in this run.
    values = {m: np.where(present, v, np.nan) for m, v in values.items()}
    task = run.manifest["tasks"].get(name) or {}
    infos = _infos(task, values, imported=imported)
    for metric in infos:
        values.setdefault(metric, np.full(shape, np.nan))
    probed, latency = (None, None) if probe is None else probed_values(probe, variants, samples)
    for metric, how in DERIVED.items():
        if metric in infos:
            continue
        found = derived_values(outputs, how, place, shape)
        if metric in LATENCIES and not imported:
            found = latency
        if found is not None:
            values[metric] = found
            infos[metric] = MetricInfo(metric, False, Scale(0.0, None), False, how.quantile, True)
    repeats = int(run.manifest.get("repeats") or 1)
    expected = None if imported or task.get("n") is None else task["n"] * repeats
    return TaskData(
        name=name,
        variants=variants,
        samples=samples,
        present=present,
        touched=touched,
        values=values,
        codes=codes,
        metadata=metadata,
        infos=infos,
        expected=expected,
        owners=_owners(samples) if repeats > 1 else None,
        probed=probed,
        seconds=derived_values(outputs, Derived(("latency_s",)), place, shape),
        measured=not imported,
    )


def _samples(outputs: pa.Table, scores: pa.Table, probed: tuple[str, ...]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    chunks = [*outputs["sample_id"].chunks, *scores["sample_id"].chunks]
    if probed:
        chunks.append(pa.array(probed, pa.string()))
    samples = pc.unique(pa.chunked_array(chunks, pa.string()))
    return samples.take(pc.array_sort_indices(samples))


def _owners(rows: pa.Array) -> Codes:
    """The samples of rows ``id#0``, ``id#1``, … as numbers, in the order of the rows."""
    import pyarrow.compute as pc

    names = pc.replace_substring_regex(rows, "#[0-9]+$", "")
    return numbers(names.dictionary_encode().indices, np.int32)[0].astype(np.int64)


def _places(rows: _Rows, samples: pa.Array) -> Codes:
    """Flat index of each row in a (V, S) array."""
    import pyarrow.compute as pc

    sample = pc.index_in(rows.table["sample_id"], samples).combine_chunks()
    place: Codes = rows.variant * len(samples) + numbers(sample, np.int32)[0]
    return place


def _refuse_doubled(place: Codes, table: pa.Table, run: Run, rows: Codes | None = None) -> None:
    """``place``: of ``table``'s rows, or of those of them with these indices."""
    counts = np.bincount(place)
    if len(counts) and counts.max() > 1:
        first = int(np.flatnonzero(counts[place] > 1)[0])
        row = table.slice(first if rows is None else int(rows[first]), 1).to_pylist()[0]
        keys = ("task", "sample_id", "variant", "metric")
        raise RunError(
            f"{run.path or 'The run'} has more than one row for "
            + ", ".join(f"{k} '{row[k]}'" for k in keys if k in row)
            + ". Measure or import again."
        )


def _values(scores: pa.Table, place: Codes, shape: tuple[int, int], run: Run) -> dict[str, Floats]:
    metrics = tuple(sorted(scores["metric"].unique().to_pylist()))
    metric = code_array(scores["metric"], metrics)
    value = float_array(scores["value"])
    found = {}
    for m, name in enumerate(metrics):
        rows = np.flatnonzero(metric == m)
        _refuse_doubled(place[rows], scores, run, rows)
        found[name] = np.full(shape, np.nan)
        found[name].flat[place[rows]] = value[rows]
    return found


def _texts(
    outputs: pa.Table, place: Codes, shape: tuple[int, int]
) -> tuple[dict[str, Codes], tuple[str, ...]]:
    codes: dict[str, Codes] = {}
    metadata: tuple[str, ...] = ()
    for column in TEXTS:
        array = np.full(shape, -1, np.int64)
        if column in outputs.column_names and outputs.num_rows:
            encoded = outputs[column].dictionary_encode().combine_chunks()
            code, known = numbers(encoded.indices, np.int32)
            array.flat[place] = np.where(known, code, -1)
            if column == "metadata":
                metadata = tuple(encoded.dictionary.to_pylist())
        codes[column] = array
    return codes, metadata


def _infos(
    task: Mapping[str, Any], values: Mapping[str, Floats], *, imported: bool
) -> dict[str, MetricInfo]:
    listed = task.get("metrics") or {}
    infos = {}
    for name in (*listed, *sorted(set(values) - set(listed))):
        entry = listed.get(name) or {}
        calibration = entry.get("calibration")
        infos[name] = MetricInfo(
            name,
            entry.get("higher_is_better"),
            Scale(entry.get("low"), entry.get("high"), entry.get("binary") is True),
            imported,
            calibrated=isinstance(calibration, dict) and calibration.get("valid") is True,
            uncalibrated=calibration.get("reason") if isinstance(calibration, dict) else None,
        )
    return infos
