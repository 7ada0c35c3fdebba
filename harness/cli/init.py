"""``harness init``: a project that can be run at once."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli._json_option import json_option


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--name", help="Of the suite.  [default: the folder's name]")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "none"]),
    help="Whose CI file to write.  [default: told by the repository, else github]",
)
@click.option("--model", metavar="REF", help="The base.  [default: SmolLM2-135M-Instruct]")
@json_option
def command(
    folder: Path, name: str | None, ci: str | None, model: str | None, json_file: str | None
) -> None:
    """Write a suite, data, baselines and a CI file into FOLDER (default: here).

    Nothing is asked and nothing is replaced. The data are made-up tickets in four queues.
    """
    from harness.cli import _scaffold
    from harness.cli._files import write_json
    from harness.recipes import check_name

    name = name or _scaffold.guess_name(folder)
    check_name(name, "A suite")
    ci = ci or _scaffold.guess_ci(folder)
    written, kept = _scaffold.write(folder, _scaffold.contents(name, ci, model))
    command = f"harness run suites/{name}"
    if json_file is not None:
        made = {"suite": name, "ci": ci, "written": written, "kept": kept, "next": command}
        write_json({"schema_version": 1, "folder": str(folder), **made}, json_file)
    if json_file == "-":
        return
    for path in written:
        click.echo(f"wrote  {folder / path}")
    for path in kept:
        click.echo(f"kept   {folder / path}")
    here = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    click.echo(f"next:  {here}{command}")
