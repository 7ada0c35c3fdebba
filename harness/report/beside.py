"""The answers of other runs beside those of this one, so that flips between runs can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.report.words import count

if TYPE_CHECKING:
    from harness.store.runs import Run


def with_others(run: Run, others: Sequence[tuple[str, Run]]) -> tuple[Run, list[str]]:
    """``run`` with every variant of the others as ``variant (name)``, and what was left out.

    Only samples that are the same in both, input and target, stand side by side.
    """
    import pyarrow as pa

    known = _questions(run.outputs)
    outputs, scores = [run.outputs], [run.scores]
    variants = dict(run.manifest["variants"])
    notes = []
    for name, other in others:
        theirs = _questions(other.outputs)
        same = {key for key, question in theirs.items() if known.get(key) == question}
        if lost := len(theirs) - len(same):
            notes.append(
                f"{count(lost, 'sample')} of '{name}' that this run lacks, or has with another "
                "input or target, are not shown."
            )
        outputs.append(_renamed(other.outputs, name, same))
        scores.append(_renamed(other.scores, name, same))
        variants |= {f"{v} ({name})": about for v, about in other.manifest["variants"].items()}
    manifest = {**run.manifest, "variants": variants}
    joined = replace(
        run,
        manifest=manifest,
        outputs=pa.concat_tables(outputs),
        scores=pa.concat_tables(scores),
    )
    return joined, notes


def _questions(outputs: Any) -> dict[tuple[str, str], tuple[Any, Any]]:
    """What is asked and wanted, by task and sample id."""
    names = ("task", "sample_id", "input", "target")
    found: dict[tuple[str, str], tuple[Any, Any]] = {}
    for task, sample, text, target in zip(*(outputs[n].to_pylist() for n in names), strict=True):
        found.setdefault((task, sample), (text, target))
    return found


def _renamed(table: Any, name: str, keys: set[tuple[str, str]]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    pairs = zip(table["task"].to_pylist(), table["sample_id"].to_pylist(), strict=True)
    table = table.filter(pa.array([pair in keys for pair in pairs], pa.bool_()))
    variant = pc.binary_join_element_wise(table["variant"], pa.scalar(f" ({name})"), "")
    field = table.schema.field("variant")
    return table.set_column(table.column_names.index("variant"), field, variant)
