"""``harness import``: scores measured elsewhere become a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("scores", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The run folder."
)
@click.option("--append", is_flag=True, help="Add to the imported run in DIR.")
def command(scores: Path, out: Path, append: bool) -> None:
    """Turn SCORES (JSON Lines, a row for each sample and variant) into a run folder.

    \b
    {"sample_id": str, "variant": str, "scores": {metric: number or null},
     "task": str?, "cluster": str?, "metadata": object?, "input": str?,
     "target": str?, "output": str?, "latency_s": number?, "cost": number?}

    null is unscored. A row that is wrong stops the import, and nothing is written.
    """
    from harness.store.import_run import import_scores

    folder, warnings = import_scores(scores, out, append=append, command=["harness", *sys.argv[1:]])
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"run  {folder}")
    click.echo(f"next: harness gate {out} --rules RULES.toml")
