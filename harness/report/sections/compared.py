"""This run beside others: what changed, and by how much each variant is better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.report.axis import Tick, axis
from harness.report.changes import Change, data_changes, recipe_changes, version_changes
from harness.report.differences import direction, oriented
from harness.report.forest import Row, draw, pairs
from harness.report.material import Material
from harness.report.variants import lower_is_better
from harness.report.words import interval, number
from harness.types import Comparison

if TYPE_CHECKING:
    from harness.store.runs import Run

TITLE = "Against other runs"
CHAPTER = "compare"


@dataclass(frozen=True, slots=True)
class Facts:
    name: str
    created: str
    suite: str
    verdict: str
    mark: str
    recommendation: str
    samples: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Picture:
    task: str
    metric: str
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    level: float


@dataclass(frozen=True, slots=True)
class Beside:
    name: str
    groups: tuple[tuple[str, tuple[Change, ...]], ...]
    """Data, recipes, versions; without a change: no entries."""
    pictures: tuple[Picture, ...]
    reason: str
    """Why scores are not compared; empty: they are."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    facts: tuple[Facts, ...]
    """Of this run and of each other."""
    beside: tuple[Beside, ...]


def section(material: Material) -> Compared | None:
    if not material.others:
        return None
    runs = [("this run", material.run), *material.others]
    return Compared(
        tuple(_facts(name, run, material) for name, run in runs),
        tuple(_beside(name, run, material) for name, run in material.others),
    )


def _facts(name: str, run: Run, material: Material) -> Facts:
    from harness import gate
    from harness.report.headline import MARK

    verdict = material.verdict if run is material.run else gate.decide(run)
    m = run.manifest
    counts = [
        f"{n:,} {task}" if isinstance(n := (about or {}).get("n"), int) else task
        for task, about in m["tasks"].items()
    ]
    return Facts(
        name,
        str(m.get("created") or "not known"),
        str(m.get("suite") or "not known"),
        verdict.status.value,
        MARK[verdict.status],
        verdict.recommendation or "none",
        ", ".join(counts),
        str(m.get("fingerprint") or "not known"),
    )


def _beside(name: str, run: Run, material: Material) -> Beside:
    groups = (
        ("Data", tuple(data_changes(run.manifest, material.manifest))),
        ("Recipes and rules", tuple(recipe_changes(run.manifest, material.manifest))),
        ("Versions and settings", tuple(version_changes(run.manifest, material.manifest))),
    )
    try:
        found, warnings = _comparisons(run, material)
        reason = "" if found else "The runs share no variant."
    except HarnessError as error:
        found, warnings, reason = [], [], str(error)
    warnings += [f"{file} of '{name}' changed after it was written." for file in run.tampered]
    return Beside(name, groups, tuple(_pictures(found, material)), reason, tuple(warnings))


def _comparisons(run: Run, material: Material) -> tuple[list[Comparison], list[str]]:
    """Of each variant that both runs have: this run's minus the other's."""
    from dataclasses import replace

    from harness import compare

    both, warnings = compare.merge([("now", material.run), ("before", run)])
    found = []
    for variant in [v for v in material.variants if v in run.manifest["variants"]]:
        names = (f"now/{variant}", f"before/{variant}")
        kept = {name: both.manifest["variants"][name] for name in names}
        pair = type(both)(
            None,
            {**both.manifest, "variants": kept},
            _only(both.outputs, names),
            _only(both.scores, names),
        )
        found += [
            replace(c, candidate=variant, versus=variant)
            for c in compare.comparisons(pair, material.alpha, names[0])
        ]
    return found, warnings


def _only(table: Any, variants: Sequence[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table["variant"], pa.array(variants, pa.string())))


def _pictures(found: Sequence[Comparison], material: Material) -> list[Picture]:
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in found:
        known = (material.manifest["tasks"].get(c.task) or {}).get("metrics", {}).get(c.metric)
        said = (known or {}).get("higher_is_better") is not None
        lower = not said and lower_is_better(material.manifest, material.rules, c.task, c.metric)
        groups.setdefault((c.task, c.metric), []).append(oriented(c, lower=lower))
    return [_picture(task, metric, rows) for (task, metric), rows in groups.items()]


def _picture(task: str, metric: str, found: Sequence[Comparison]) -> Picture:
    values: list[float | None] = [0.0]
    for c in found:
        values += [c.estimate, c.ci_low, c.ci_high]
    scale = axis(values)
    rows = []
    for c in found:
        word = direction(c.ci_low, c.ci_high)
        rows.append(
            Row(
                title=c.candidate,
                demand="",
                where=(),
                bar=draw(word.split()[0], c.estimate, c.ci_low, c.ci_high, scale, zero=True),
                estimate=number(c.estimate, signed=True),
                interval=interval(c.ci_low, c.ci_high, signed=True, limits=(0.0,)),
                n=pairs(c.n, c.n_unscored),
                word=word,
                note=c.method if word == "no interval" else "",
            )
        )
    return Picture(task, metric, tuple(rows), scale.ticks, found[0].ci_level)
