"""A run folder -> a report file, with the verdict worked out on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.report import context, kept, page
from harness.report.baselines import MOST_VARIANTS
from harness.report.material import Material
from harness.report.samples import BUDGET
from harness.store.files import write_whole

if TYPE_CHECKING:
    from harness.store.runs import Run
    from harness.types import RuleSet


def default_path(run: Run) -> Path:
    """``reports/<suite>/index.html``: one place to open, as a run folder is never written to."""
    suite = str(run.manifest.get("suite") or "imported")
    return Path("reports", re.sub(r"[^\w.-]+", "-", suite).strip("-.") or "run", "index.html")


def write_report(
    run: Run | Path,
    out: Path | None = None,
    *,
    rules: RuleSet | None = None,
    sequential: bool = False,
    others: Sequence[Path] = (),
    images: Path | None = None,
    markdown: Path | None = None,
    budget: int = BUDGET,
) -> Path:
    """Write the report of a run (or run folder) and return its path.

    ``out``: the file, or a folder to hold ``index.html``; None: ``default_path(run)``.
    ``rules``: instead of the run's own. ``sequential``: with bounds that hold however often one
    looks; always so for a run that was itself stopped by looking. ``others``: run folders to put
    it beside. ``images``: a folder for the main plots as SVG, and as PNG where the extra
    ``images`` is installed. ``markdown``: a file for a summary. ``budget``: most bytes that the
    samples may take; where all take more, the others are written beside the report as Parquet.
    Raises RunError for a folder that is no run, RulesError for rules that do not fit it, and
    UsageError for a place that cannot be written or that lies in a run folder.
    """
    from harness.store.runs import read_run

    run = read_run(run) if isinstance(run, Path) else run
    out = default_path(run) if out is None else out / "index.html" if out.is_dir() else out
    opened = [read_run(folder) for folder in others]
    _refuse_run_folders([run, *opened], [p for p in (out, images, markdown) if p is not None])
    rules, found = material_of(
        run, rules, list(zip(_names(opened, run), opened, strict=True)), sequential
    )
    _write_page(run, rules, found, out, budget)
    _write_besides(found, rules, images, markdown)
    return out


def _write_page(run: Run, rules: RuleSet | None, found: Material, out: Path, budget: int) -> None:
    browser = context.browser(found, budget)
    rest = out.with_name(f"{out.stem}.samples.parquet")
    name = rest.name if browser.left_out else ""
    text = page.render_material(found, rules, browser, name)
    if browser.left_out:
        kept.write_rest(run, browser.left_out, rest)
    elif rest.is_file():
        rest.unlink()  # Of an earlier report of this name: it would be taken for this one's.
    write_whole(out, text.encode(), parents=True)


def _write_besides(
    found: Material, rules: RuleSet | None, images: Path | None, markdown: Path | None
) -> None:
    if images is not None:
        from harness.report.images import write_images

        write_images(found, rules, images)
    if markdown is not None:
        from harness.report.summary import summary

        write_whole(markdown, summary(found, rules).encode(), parents=True)


def material_of(
    run: Run,
    given: RuleSet | None = None,
    others: Sequence[tuple[str, Run]] = (),
    sequential: bool = False,
) -> tuple[RuleSet | None, Material]:
    """The rules that decide, and all that the report shows, the verdict among it.

    ``given``: instead of the run's own; then one that does not fit the run raises RulesError.
    """
    from harness import compare, gate
    from harness.gate.decide import own_rules
    from harness.report.evidence import evidence

    verdict = gate.decide(run, given, strict=given is not None, sequential=sequential)
    rules = own_rules(run) if given is None else given
    candidate = verdict.candidate or _shown_candidate(run)
    alpha = 0.05 if rules is None else rules.alpha
    every = len(run.manifest["variants"]) <= MOST_VARIANTS
    pairs = compare.comparisons(run, alpha, None if every else candidate) if candidate else []
    # The candidate's first: whose differences are shown where no rule names one.
    pairs.sort(key=lambda c: c.candidate != candidate)
    found = context.material(
        run,
        verdict,
        pairs,
        compare.summaries(run, alpha),
        rules,
        evidence(run, verdict, rules, alpha, sequential=sequential),
        others,
    )
    return rules, found


def _refuse_run_folders(runs: Sequence[Run], places: Sequence[Path]) -> None:
    for place in places:
        for run in runs:
            if run.path is not None and place.resolve().is_relative_to(run.path.resolve()):
                raise UsageError(
                    f"'{place}' lies in the run folder, which is never changed. Name another."
                )


def _names(others: Sequence[Run], run: Run) -> list[str]:
    """What to call each other run: its folder, with the one above where two are the same."""
    paths = [other.path.resolve() for other in others if other.path is not None]
    taken = [path.name for path in paths] + ([run.path.resolve().name] if run.path else [])
    if len(set(taken)) == len(taken):
        return [path.name for path in paths]
    longer = [f"{path.parent.name}/{path.name}" for path in paths]
    return longer if len(set(longer)) == len(longer) else [str(path) for path in paths]


def _shown_candidate(run: Run) -> str | None:
    """Whose differences to draw where no rule names a candidate: the adapter, else the last."""
    variants = run.manifest["variants"]
    adapters = [v for v, about in variants.items() if (about or {}).get("has_adapter")]
    return adapters[0] if len(adapters) == 1 else next(reversed(variants), None)
