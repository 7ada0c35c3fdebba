"""A verdict on the terminal, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.gate import EXIT_CODES, differences
from harness.types import RuleResult, Status, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.store.runs import Run

COLOURS = {
    Status.SHIP: "bold green",
    Status.HOLD: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INVALID: "bold magenta",
}

SHORT = 16
"""Values of a recipe up to this many characters are shown in a line about it."""


def exit_code(verdict: Verdict, *, report_only: bool = False) -> int:
    """``report_only``: 0 for whatever the run can support, so that only INVALID fails."""
    if report_only and verdict.status is not Status.INVALID:
        return 0
    return EXIT_CODES[verdict.status]


def terminal() -> Console:
    """Standard output; wide enough for a table where it is not a terminal (a CI log)."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with 1, which is HOLD.
            raise BrokenPipeError

    console = Output(highlight=False)
    return console if console.is_terminal else Output(highlight=False, width=140)


def print_verdict(run: Run, verdict: Verdict) -> None:
    from rich.text import Text

    console = terminal()
    if verdict.rules:
        console.print(_table(verdict))
    for row in verdict.rules:
        if row.status is not Status.SHIP:
            console.print(_reason(row))
    for versus in dict.fromkeys(r.versus for r in verdict.rules if r.versus is not None):
        if parts := _parts(run.manifest["variants"], str(verdict.candidate), versus):
            console.print(Text(f"{verdict.candidate} and {versus} differ in {', '.join(parts)}."))
    line = Text.assemble(("verdict  ", ""), (verdict.status.value, COLOURS[verdict.status]))
    if verdict.candidate is not None:
        line.append(f"  {verdict.candidate}")
    console.print(line)
    console.print(Text(f"ship     {verdict.recommendation or 'no recommendation'}"))
    for warning in dict.fromkeys([*verdict.warnings, *run.manifest.get("warnings", ())]):
        console.print(Text.assemble(("Warning: ", "yellow"), warning))


def _parts(variants: Mapping[str, Any], candidate: str, versus: str) -> list[str]:
    """The parts of the two recipes that differ; short plain values as ``versus -> candidate``."""
    recipes = [(variants.get(name) or {}).get("recipe") for name in (versus, candidate)]
    if not all(recipes):
        return []  # Imported or not measured: nothing is known to differ.
    found = []
    for part in dict.fromkeys(
        key.split(".")[0] for key in differences(variants, candidate, versus)
    ):
        values = [recipe.get(part) for recipe in recipes if recipe]
        plain = all(isinstance(v, (str, int, float)) and len(str(v)) <= SHORT for v in values)
        found.append(f"{part} ({values[0]} -> {values[1]})" if plain else part)
    return found


def _table(verdict: Verdict) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("status", "rule", "task", "versus", "needed"):
        table.add_column(name, overflow="fold")
    for name in ("estimate", f"interval ({_levels(verdict)})", "n", "unscored"):
        table.add_column(name, justify="right", overflow="fold")
    for row in verdict.rules:
        where = " ".join(x for x in (row.task, row.slice) if x)
        cells = (
            f"{row.metric} {row.role}" + ("" if row.gating else " (advisory)"),
            where or "-",
            row.versus or "-",
            _needed(row),
            number(row.estimate),
            interval(row.ci_low, row.ci_high),
            f"{row.n:,}",
            f"{row.n_unscored:,}",
        )
        # Text, so that a name with square brackets is not read as markup.
        status = Text(row.status.value, style=COLOURS[row.status])
        table.add_row(status, *(Text(cell) for cell in cells))
    return table


def _levels(verdict: Verdict) -> str:
    return ", ".join(sorted({f"{row.ci_level:.3g}" for row in verdict.rules}))


def _needed(row: RuleResult) -> str:
    if row.margin is None:
        return "-"
    return f"> {row.margin if row.role == 'superior' else -row.margin:g}"


def _reason(row: RuleResult) -> str:
    from rich.markup import escape

    where = " ".join(x for x in (row.task, row.slice, row.versus and f"vs {row.versus}") if x)
    text = f"{row.status.value}: {row.metric} {row.role} {where}: {row.reason}."
    if row.more_samples is not None:
        text += f" About {row.more_samples:,} more samples would decide."
    return escape(text)


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4g}" if value else "0"


def interval(low: float | None, high: float | None) -> str:
    """Both bounds; an open side is a dash. Without either there is none."""
    return "-" if low is None and high is None else f"[{number(low)}, {number(high)}]"
