"""What is shown of a judge's calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.cli._calibrate import Made


def echo_json(found: Mapping[str, Any]) -> None:
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def print_figures(by_judge: Mapping[str, Mapping[str, Any]]) -> None:
    """A line a figure, a column a judge."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Agreement with people (intervals: 90%)", title_justify="left")
    table.add_column("")
    for judge in by_judge:
        table.add_column(judge, justify="right")
    names = list(dict.fromkeys(key for figures in by_judge.values() for key in figures))
    for name in names:
        if not name.endswith("_ci") and name != "ci_level":
            table.add_row(
                name.replace("_", " "),
                *(
                    _number(figures.get(name), figures.get(f"{name}_ci"))
                    for figures in by_judge.values()
                ),
            )
    Console().print(table)


def _number(value: Any, bounds: Any) -> str:
    if value is None:
        return "not known"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"{text} ({bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else text


def print_probes(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Attempts to fool the judge", title_justify="left")
    for name in ("attempt", "fooled", "asked", "unparseable"):
        table.add_column(name, justify="left" if name == "attempt" else "right")
    for row in rows:
        fooled, asked = str(row["fooled"]), str(row["asked"])
        table.add_row(row["probe"].replace("_", " "), fooled, asked, str(row["unparseable"]))
    Console().print(table)


def print_made(made: Made) -> None:
    if made.document["probes"] is not None:
        print_probes(made.document["probes"])
    click.echo(f"verdicts     {made.fresh} asked for, {made.cached} known from before")
    click.echo(f"calibration  {made.file}")
    if made.verdict["valid"]:
        click.echo(f"The judge may gate: floor {made.verdict['floor']:g} is reached.")
    else:
        click.echo(
            f"The judge may not gate: {made.verdict['reason']}. Its rules are INVALID unless they "
            "say advisory = true."
        )
