"""``harness report``: one HTML file about a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
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
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write the main plots there: SVG, and PNG with the extra 'images'.",
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a summary for a pull request or a CI step.",
)
def command(
    runs: tuple[Path, ...],
    out: Path | None,
    rules_file: Path | None,
    sequential: bool,
    images: Path | None,
    markdown: Path | None,
) -> None:
    """Write what RUN shows, and whether its candidate may ship, as one HTML file.

    The file opens from disk: no server, no network. With several RUNs the first is the one that
    the verdict is about; the report says what changed since each of the others, in data, recipes
    and versions, and how much better or worse each variant became.
    """
    from harness.report import write_report
    from harness.rules import load_rules

    rules = load_rules(rules_file) if rules_file else None
    path = write_report(
        runs[0],
        out,
        rules=rules,
        sequential=sequential,
        others=runs[1:],
        images=images,
        markdown=markdown,
    )
    click.echo(path)
    if markdown is not None:
        click.echo(markdown)
    if images is not None:
        from harness.report.images import can_png

        click.echo(images)
        if not can_png():
            click.echo(
                "PNG was left out: python -m pip install 'shipworthy[images]' adds it.", err=True
            )
