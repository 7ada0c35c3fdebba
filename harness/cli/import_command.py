"""``harness import``: scores measured elsewhere become a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli._json_option import json_option


@click.command()
@click.argument("scores", nargs=-1, required=True, metavar="SCORES...")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The run folder."
)
@click.option("--append", is_flag=True, help="Add to the imported run in DIR.")
@click.option(
    "--from",
    "kind",
    metavar="FORMAT",
    help="csv, deepeval, inspect, lm-eval, openai-evals or promptfoo.  [default: told by the file]",
)
@json_option
def command(
    scores: tuple[str, ...], out: Path, append: bool, kind: str | None, json_file: str | None
) -> None:
    """Turn SCORES (JSON Lines, a row for each sample and variant) into a run folder.

    \b
    {"sample_id": str, "variant": str, "scores": {metric: number or null},
     "task": str?, "cluster": str?, "metadata": object?, "input": str?,
     "target": str?, "output": str?, "latency_s": number?, "cost": number?}

    null is unscored. A row that is wrong stops the import, and nothing is written.

    Also files of other tools: samples of lm-evaluation-harness (--log_samples; a file or the
    folder), logs of inspect_ai, JSON of deepeval and promptfoo, records of OpenAI Evals, and CSV.
    Where a file is of one model, say which variant that is: VARIANT=PATH.

    \b
    harness import zero_shot=logs/base.eval adapter=logs/tuned.eval --out run
    """
    from harness.cli._files import write_json
    from harness.cli._foreign import import_all, source

    folder, warnings = import_all(
        [source(argument) for argument in scores],
        out,
        kind,
        append=append,
        command=["harness", *sys.argv[1:]],
    )
    if json_file is not None:
        write_json({"schema_version": 1, "run": str(folder), "warnings": warnings}, json_file)
    if json_file == "-":
        return
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"run  {folder}")
    click.echo(f"next: harness gate {out} --rules RULES.toml")
