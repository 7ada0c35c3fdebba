"""``harness report``: one HTML file about a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write. Default: reports/<suite>/index.html",
)
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(path_type=Path),
    help="A rules file to use instead of the rules that the run holds.",
)
@click.option(
    "--sequential",
    is_flag=True,
    help="Bounds that hold however often one looks, as in `harness gate --sequential`.",
)
def command(run: Path, out: Path | None, rules_file: Path | None, sequential: bool) -> None:
    """Write what RUN shows, and whether its candidate may ship, as one HTML file.

    The file opens from disk: no server, no network.
    """
    from harness.report import write_report
    from harness.rules import load_rules

    rules = load_rules(rules_file) if rules_file else None
    click.echo(write_report(run, out, rules=rules, sequential=sequential))
