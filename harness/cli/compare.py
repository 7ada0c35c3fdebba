"""``harness compare``: every metric and pair of variants, without rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.store.runs import Run
    from harness.types import Comparison


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--margin",
    type=float,
    metavar="M",
    help="Say in the table for which pairs a difference within -M to M is proved (TOST).",
)
@click.option(
    "--machine-cost-per-hour",
    type=float,
    metavar="X",
    help="Price of the machine, in the currency of 'cost': when training pays back in money.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the rows as JSON; '-' or no FILE: to standard output, and nothing else.",
)
def command(
    runs: tuple[Path, ...],
    margin: float | None,
    machine_cost_per_hour: float | None,
    json_file: str | None,
) -> None:
    """Compare the variants of RUN pair by pair; of several RUNs, as run/variant.

    Samples are matched by id. Positive differences favour the first of a pair. Of a single RUN
    also: what retrieval and what the adapter add, after how many requests training has paid for
    itself, and how far a server's answers are those of the same variant in process.
    """
    from dataclasses import asdict

    from harness.cli._effects import print_agreements, print_break_even, print_effects
    from harness.cli._files import write_json
    from harness.compare import agreements, attribution, break_even, comparisons

    run, warnings = _open(runs)
    _check_margin(run, margin)
    rows = comparisons(run)
    # Across runs a difference is not laid to one part: the runs may differ in others.
    alone = len(runs) == 1
    effects = attribution(run) if alone else []
    paid = break_even(run, machine_cost_per_hour) if alone else []
    served = agreements(run) if alone else []
    if json_file is not None:
        found = {
            "schema_version": 1,
            "rows": [_row(c) for c in rows],
            "attribution": [asdict(e) for e in effects],
            "break_even": [asdict(b) for b in paid],
            "agreement": [asdict(a) for a in served],
            "warnings": warnings,
        }
        write_json(found, json_file)
    if json_file != "-":
        _print(rows, margin, _spans(run))
        print_effects(effects)
        print_break_even(paid)
        print_agreements(served)
        _print_warnings(warnings)


def _check_margin(run: Run, margin: float | None) -> None:
    """Raise UsageError for a margin that no difference could exceed, or that is none."""
    if margin is None:
        return
    if not (math.isfinite(margin) and margin > 0):
        raise UsageError(f"--margin must be a number above 0, got {margin:g}.")
    spans = _spans(run)
    widest = max(spans.values(), default=math.inf)
    if margin >= widest:
        raise UsageError(
            f"--margin is {margin:g}, and no metric of the run has a wider range than "
            f"{widest:g}, so every pair would be equivalent. For {margin:g} percent points of a "
            f"metric from 0 to 1 write {margin / 100:g}."
        )


def _spans(run: Run) -> dict[tuple[str, str], float]:
    """The width of each task's metrics' range; infinite where it is not known."""
    spans = {}
    for task, about in run.manifest["tasks"].items():
        for metric, info in ((about or {}).get("metrics") or {}).items():
            low, high = info.get("low"), info.get("high")
            spans[task, metric] = math.inf if None in (low, high) else high - low
    return spans


def _open(folders: Sequence[Path]) -> tuple[Run, list[str]]:
    from harness.compare import COLUMNS, merge
    from harness.store.runs import read_run

    opened = [read_run(folder, columns=COLUMNS) for folder in folders]
    warnings = [
        f"{run.path}: {', '.join(run.tampered)} changed after the run was written."
        for run in opened
        if run.tampered
    ]
    if len(opened) == 1:
        return opened[0], warnings
    run, more = merge(list(zip(_names(opened), opened, strict=True)))
    return run, warnings + more


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, with the folder above where two are the same."""
    paths = [run.path.resolve() for run in runs if run.path is not None]
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    if len(set(paths)) < len(paths):
        raise UsageError(
            "One run is named twice, and has nothing to be compared with. Name another."
        )
    longer = [f"{path.parent.name}/{path.name}" for path in paths]
    return longer if len(set(longer)) == len(longer) else [str(path) for path in paths]


def _row(c: Comparison) -> dict[str, Any]:
    """The keys of ``gate --json`` without a status, and the candidate, as no file head names it."""
    return {
        "metric": c.metric,
        "role": None,
        "task": c.task,
        "slice": c.slice,
        "candidate": c.candidate,
        "versus": c.versus,
        "margin": None,
        "alpha": c.alpha,
        "ci_level": c.ci_level,
        "estimate": c.estimate,
        "ci_low": c.ci_low,
        "ci_high": c.ci_high,
        "n": c.n,
        "n_unscored": c.n_unscored,
        "gating": False,
        "reason": c.method,
        "more_samples": None,
    }


def _print(
    rows: Sequence[Comparison], margin: float | None, spans: Mapping[tuple[str, str], float]
) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.cli._verdict import interval, number, terminal

    levels = ", ".join(sorted({f"{c.ci_level:.3g}" for c in rows}))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "metric", "variant", "minus"):
        table.add_column(name, overflow="fold")
    for name in ("difference", f"interval ({levels})", "n", "unscored"):
        table.add_column(name, justify="right", overflow="fold")
    if margin is not None:
        table.add_column(f"within ±{margin:g}", overflow="fold")
    table.add_column("method", overflow="fold")
    shown: set[tuple[str, str, str, str]] = set()
    for c in rows:
        # Each pair stands both ways round; the later variant against the earlier is enough here.
        if (c.task, c.metric, c.candidate, c.versus) in shown:
            cells = [c.task, c.metric, c.candidate, c.versus, number(c.estimate)]
            cells += [interval(c.ci_low, c.ci_high), f"{c.n:,}", f"{c.n_unscored:,}"]
            if margin is not None:
                wide = margin >= spans.get((c.task, c.metric), math.inf)
                cells.append("wider than the range" if wide else _equivalent(c, margin))
            table.add_row(*(Text(cell) for cell in (*cells, c.method)))
        shown.add((c.task, c.metric, c.versus, c.candidate))
    terminal().print(table)


def _equivalent(c: Comparison, margin: float) -> str:
    """Two one-sided tests at alpha, which is the 1 - 2*alpha interval inside (-margin, margin).

    Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.
    """
    if c.ci_low is None or c.ci_high is None:
        return "not known"
    return "proved" if -margin < c.ci_low and c.ci_high < margin else "not proved"


def _print_warnings(warnings: Sequence[str]) -> None:
    from rich.text import Text

    from harness.cli._verdict import terminal

    for warning in warnings:
        terminal().print(Text(f"Warning: {warning}"))
