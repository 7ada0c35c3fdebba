"""A run folder -> a report file, with the verdict worked out on the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.report.page import render
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
) -> Path:
    """Write the report of a run (or run folder) and return its path.

    ``out``: the file, or a folder to hold ``index.html``; None: ``default_path(run)``.
    ``rules``: instead of the run's own. ``sequential``: with bounds that hold however often one
    looks; always so for a run that was itself stopped by looking. Raises RunError for a folder
    that is no run, RulesError for rules that do not fit it, and UsageError for an ``out`` that
    cannot be written or that lies in the run folder.
    """
    from harness import compare, gate
    from harness.gate.decide import own_rules
    from harness.report.evidence import evidence
    from harness.store.runs import read_run

    run = read_run(run) if isinstance(run, Path) else run
    out = default_path(run) if out is None else out / "index.html" if out.is_dir() else out
    if run.path is not None and out.resolve().is_relative_to(run.path.resolve()):
        raise UsageError(f"'{out}' lies in the run folder, which is never changed. Name another.")
    verdict = gate.decide(run, rules, strict=rules is not None, sequential=sequential)
    rules = own_rules(run) if rules is None else rules
    candidate = verdict.candidate or _shown_candidate(run)
    alpha = 0.05 if rules is None else rules.alpha
    page = render(
        run,
        verdict,
        compare.comparisons(run, alpha, candidate) if candidate else [],
        compare.summaries(run, alpha),
        rules=rules,
        evidence=evidence(run, verdict, rules, alpha, sequential=sequential),
    )
    write_whole(out, page.encode(), parents=True)
    return out


def _shown_candidate(run: Run) -> str | None:
    """Whose differences to draw where no rule names a candidate: the adapter, else the last."""
    variants = run.manifest["variants"]
    adapters = [v for v, about in variants.items() if (about or {}).get("has_adapter")]
    return adapters[0] if len(adapters) == 1 else next(reversed(variants), None)
