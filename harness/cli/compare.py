"""``harness compare``: every metric and pair of variants, without rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.store.runs import Run
    from harness.types import Comparison


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the rows as JSON; '-' or no FILE: to standard output, and nothing else.",
)
def command(runs: tuple[Path, ...], json_file: str | None) -> None:
    """Compare the variants of RUN pair by pair; of several RUNs, as run/variant.

    Samples are matched by id. Positive differences favour the first of a pair.
    """
    from harness.cli._files import write_json
    from harness.compare import comparisons

    run, warnings = _open(runs)
    rows = comparisons(run)
    if json_file is not None:
        write_json(
            {"schema_version": 1, "rows": [_row(c) for c in rows], "warnings": warnings}, json_file
        )
    if json_file != "-":
        _print(rows, warnings)


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


def _print(rows: Sequence[Comparison], warnings: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.cli._verdict import interval, number, terminal

    console = terminal()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "metric", "variant", "minus"):
        table.add_column(name, overflow="fold")
    for name in ("difference", "interval (0.9)", "n", "unscored"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("method", overflow="fold")
    shown: set[tuple[str, str, str, str]] = set()
    for c in rows:
        # Each pair stands both ways round; the later variant against the earlier is enough here.
        if (c.task, c.metric, c.candidate, c.versus) in shown:
            cells = (c.task, c.metric, c.candidate, c.versus, number(c.estimate))
            counts = (interval(c.ci_low, c.ci_high), f"{c.n:,}", f"{c.n_unscored:,}", c.method)
            table.add_row(*(Text(cell) for cell in (*cells, *counts)))
        shown.add((c.task, c.metric, c.versus, c.candidate))
    console.print(table)
    for warning in warnings:
        console.print(Text(f"Warning: {warning}"))
