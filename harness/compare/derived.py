"""Metrics that are measured beside the answers: latency, tokens, cost. Lower is better for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.compare.columns import Bools, float_array, numbers
from harness.errors import RunError
from harness.stats.mean import Codes, Floats

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Derived:
    """How a metric is read off ``outputs.parquet``."""

    columns: tuple[str, ...]
    """Their sum is the value; not known where one of them is not."""
    factor: float = 1.0
    quantile: float | None = None
    """None: the metric is the mean."""


DERIVED: Mapping[str, Derived] = {
    "latency_p50": Derived(("latency_s",), quantile=0.5),
    "latency_p95": Derived(("latency_s",), quantile=0.95),
    "tokens_in": Derived(("tokens_in",)),
    "tokens_out": Derived(("tokens_out",)),
    "tokens_per_1k_requests": Derived(("tokens_in", "tokens_out"), 1000.0),
    "cost": Derived(("cost",)),
    "cost_per_1k_requests": Derived(("cost",), 1000.0),
}
"""Latency is the exception: in a measured run it comes from the probe, as the seconds of a batch
say nothing of what one user waits."""
LATENCIES = tuple(name for name, how in DERIVED.items() if how.columns == ("latency_s",))


@dataclass(frozen=True)
class Probe:
    """Warm requests of one task, one at a time."""

    samples: tuple[str, ...]
    seconds: Mapping[str, Floats]
    """Variant -> (len(samples),); NaN: the request failed."""


def probe_of(manifest: Mapping[str, Any], task: str) -> Probe | None:
    """What the manifest's ``probe`` tells of ``task``; None: it was not probed.

    Raises RunError for a probe that contradicts itself.
    """
    found = ((manifest.get("probe") or {}).get("tasks") or {}).get(task)
    if not found or not found.get("sample_id"):
        return None
    samples = tuple(found["sample_id"])
    if len(set(samples)) < len(samples):
        raise RunError(f"{_WHERE} of task '{task}' has a sample twice. {_REMEDY}")
    seconds = {v: np.array(x, np.float64) for v, x in (found.get("latency_s") or {}).items()}
    for variant, values in seconds.items():
        if values.shape != (len(samples),):
            raise RunError(
                f"{_WHERE} of task '{task}' has {len(samples)} samples and {values.size} latencies "
                f"of '{variant}'. {_REMEDY}"
            )
    return Probe(samples, {v: np.where(np.isfinite(x), x, np.nan) for v, x in seconds.items()})


def probed_values(
    probe: Probe, variants: tuple[str, ...], samples: pa.Array
) -> tuple[Bools, Floats]:
    """(S,) the probed samples, and (V, S) the seconds of each variant; NaN: none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at = numbers(pc.index_in(pa.array(probe.samples, pa.string()), samples), np.int32)[0]
    probed = np.zeros(len(samples), bool)
    probed[at] = True
    seconds = np.full((len(variants), len(samples)), np.nan)
    for v, variant in enumerate(variants):
        if variant in probe.seconds:
            seconds[v, at] = probe.seconds[variant]
    return probed, seconds


def derived_values(
    outputs: pa.Table, how: Derived, place: Codes, shape: tuple[int, int]
) -> Floats | None:
    """(V, S) values of a derived metric; None: the outputs lack its columns."""
    if not set(how.columns) <= set(outputs.column_names):
        return None
    total = sum(float_array(outputs[column]) for column in how.columns)
    array = np.full(shape, np.nan)
    array.flat[place] = how.factor * total
    return array


_WHERE = "run.json: the probe"
_REMEDY = "Measure again with `harness run --probe N`."
