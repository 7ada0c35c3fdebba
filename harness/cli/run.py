"""``harness run``: a suite goes in; a run folder, a report and a verdict come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import click

from harness.cli._device import device as device_option
from harness.cli._json_option import json_option
from harness.errors import UsageError


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--variant", "variants", multiple=True, metavar="V", help="Only these variants.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Samples per task.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of splits and draws.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run folder.  [default: runs/<suite>/<time>-<fingerprint>]",
)
@device_option
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where models run: in this process, or in workers of a Ray cluster.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Workers of --executor ray.  [default: as many as there is room for]",
)
@click.option(
    "--staged",
    is_flag=True,
    help="Measure the variants without an adapter first; train none where one of them is proved "
    "to meet the suite's targets.",
)
@click.option(
    "--sequential",
    is_flag=True,
    help="Measure in batches of random samples and stop as soon as the rules are decided.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples per task between two looks of --sequential.  [default: 50]",
)
@click.option(
    "--probe",
    type=click.IntRange(min=0),
    metavar="N",
    help="Samples per task whose latency is measured, one warm request at a time; 0: none.  "
    "[default: as many as the rules on latency need]",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Compute in fp32, so that no answer depends on its batch or on what was interrupted; "
    "slower.",
)
@click.option("--report-only", is_flag=True, help="Exit 0 for SHIP, HOLD and INCONCLUSIVE alike.")
@json_option
def command(
    suite: Path,
    variants: tuple[str, ...],
    limit: int | None,
    seed: int,
    out: Path | None,
    device: str,
    executor: Literal["local", "ray"],
    workers: int | None,
    staged: bool,
    sequential: bool,
    batch: int | None,
    probe: int | None,
    deterministic: bool,
    report_only: bool,
    json_file: str | None,
) -> int:
    """Measure the variants of SUITE on the same samples and give a verdict.

    Exit codes: 0 SHIP, 1 HOLD, 3 INCONCLUSIVE, 4 INVALID; 2 wrong usage, 70 an internal error,
    130 interrupted.
    """
    from harness import pipeline, scorers
    from harness.cli._files import write_json
    from harness.cli._progress import Terminal
    from harness.cli._verdict import exit_code, print_verdict
    from harness.gate import decide, verdict_to_dict
    from harness.report import write_report
    from harness.store.runs import read_run
    from harness.suites import load_suite

    if batch is not None and not sequential:
        raise UsageError(
            "--batch goes with --sequential: without it there is one look, at the end."
        )
    if workers is not None and executor != "ray":
        raise UsageError("--workers goes with --executor ray: without it one process does it all.")
    loaded = load_suite(suite, check_scorer=scorers.resolve)
    settings = pipeline.Settings(
        variants=variants,
        limit=limit,
        seed=seed,
        out=out,
        device=device,
        executor=executor,
        workers=workers,
        deterministic=deterministic,
        command=["harness", *sys.argv[1:]],
        staged=staged,
        sequential=sequential,
        batch=batch or pipeline.Settings.batch,
        probe=probe,
    )
    with Terminal() as progress:
        folder = pipeline.run(loaded, settings, progress)
    run = read_run(folder)
    verdict = decide(run)
    report = None
    try:
        report = write_report(run, Path("reports") / loaded.name / "index.html")
    except UsageError as error:
        # The verdict stands without its picture, and decides the exit code.
        click.echo(f"Warning: no report. {error}", err=True)
    if json_file is not None:
        places = {"run": str(folder), "report": None if report is None else str(report)}
        write_json({**verdict_to_dict(verdict), **places}, json_file)
    if json_file != "-":
        print_verdict(run, verdict)
        click.echo(f"run      {folder}")
        if report is not None:
            click.echo(f"report   {report}")
    return exit_code(verdict, report_only=report_only)
