"""The main plots as files of their own, for slides: SVG, and PNG where that can be made.

They are drawn from the geometry of the page's own pictures, on white, with no style sheet, so
that any program shows them alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from harness.report import differences, forest, training
from harness.report.context import unit_metrics
from harness.report.material import Material
from harness.report.page import environment
from harness.report.sections import frontier, slices
from harness.store.files import write_whole
from harness.types import RuleSet

SCALE = 2
"""Pixels of a PNG for each of the SVG: sharp on a slide."""


def write_images(material: Material, rules: RuleSet | None, folder: Path) -> list[Path]:
    """Write every plot that the run has into ``folder`` and return the files.

    PNG needs the extra ``images``; without it there is SVG alone.
    """
    written = []
    for name, svg in plots(material, rules):
        path = folder / f"{name}.svg"
        write_whole(path, svg.encode(), parents=True)
        written.append(path)
        if can_png():
            import resvg_py

            found = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", zoom=SCALE)
            write_whole(path.with_suffix(".png"), bytes(found), parents=True)
            written.append(path.with_suffix(".png"))
    return written


def can_png() -> bool:
    return find_spec("resvg_py") is not None


def plots(material: Material, rules: RuleSet | None) -> Iterator[tuple[str, str]]:
    """File name without its end, and SVG text."""
    word = material.verdict.status.value
    suite = str(material.manifest.get("suite") or "imported run")
    met = material.evidence.met
    units = unit_metrics(material.manifest)
    if met is None:
        held = forest.rule_forests(material.verdict.rules, material.rules, units)
        title = f"{suite}: {word}"
    else:
        targets = forest.target_rows(rules, material.manifest)
        held = forest.rule_forests(met.rows, targets, units, met.variant)
        title = f"{suite}: {word}, {met.variant} meets every target"
    if held:
        yield "rules", _forest(title, held)
    for task, forests in _differences(material).items():
        whole = f"{suite}, task {task}: {material.candidate} minus each other variant"
        yield f"differences-{_slug(task)}", _forest(whole, forests)
    for plot in frontier.section(material) or ():
        name = f"frontier-{_slug(plot.task)}-{_slug(plot.price)}"
        yield name, _draw("frontier", plot=plot, title=f"{suite}, task {plot.task}")
    for drawn in slices.section(material) or ():
        name = f"slices-{_slug(drawn.task)}-{_slug(drawn.metric)}"
        yield name, _draw("heat", map=drawn, title=f"{suite}, task {drawn.task}", material=material)
    for item in training.trainings(material.manifest):
        if item.curve is not None:
            named = ", ".join(item.variants) or "adapter"
            name = f"training-{_slug(item.variants[0] if item.variants else item.fingerprint[:8])}"
            yield name, _draw("curve", curve=item.curve, title=f"{suite}: loss of {named}")


def _differences(material: Material) -> dict[str, list[forest.Forest]]:
    own = [c for c in material.comparisons if c.candidate == material.candidate]
    has_adapter = {
        v: (about or {}).get("has_adapter") for v, about in material.manifest["variants"].items()
    }
    found = differences.difference_forests(own, material.rules, has_adapter, {})
    # A row is the variant's name; in a rule's row that place holds what is asked.
    return {
        task: [replace(f, rows=tuple(replace(r, demand="") for r in f.rows)) for f in forests]
        for task, forests in found.items()
    }


def _forest(title: str, forests: list[forest.Forest]) -> str:
    return _draw("forest", forests=forests, title=title)


def _draw(name: str, **content: object) -> str:
    env = environment()
    env.filters["placed"] = _placed
    return env.get_template(f"images/{name}.svg.j2").render(**content)


def _placed(points: str, left: float, top: float, width: float, height: float) -> str:
    """Points of a box of 100 x 100, moved into another."""
    pairs = (map(float, point.split(",")) for point in points.split())
    return " ".join(f"{left + x * width / 100:g},{top + y * height / 100:g}" for x, y in pairs)


def _slug(text: str) -> str:
    """As the name of a file anywhere; two that come out alike would overwrite each other, which
    the checksum at the end prevents where letters were lost."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:60]
    if plain == text:
        return plain
    from harness import fingerprints

    return f"{plain or 'x'}-{fingerprints.of(text.encode('utf-8', 'replace').decode())[:6]}"
