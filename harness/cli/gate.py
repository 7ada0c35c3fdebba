"""``harness gate``: a run and rules go in; a verdict and its exit code come out."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    metavar="RULES.toml",
    help="Instead of the run's own.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the verdict as JSON; '-' or no FILE: to standard output, and nothing else.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
def command(run: Path, rules: Path | None, json_file: str | None, junit: Path | None) -> int:
    """Decide whether the candidate of RUN may ship.

    Exit codes: 0 SHIP, 1 HOLD, 3 INCONCLUSIVE, 4 INVALID; 2 wrong usage, 70 an internal error.
    """
    from harness import gate
    from harness.cli._files import write_json
    from harness.cli._junit import junit as to_junit
    from harness.cli._verdict import exit_code, print_verdict
    from harness.compare import COLUMNS
    from harness.rules import load_rules
    from harness.store.files import write_whole
    from harness.store.runs import read_run

    given = None if rules is None else load_rules(rules)
    measured = read_run(run, columns=COLUMNS)
    verdict = gate.decide(measured, given, strict=given is not None)
    if junit is not None:
        write_whole(junit, to_junit(verdict), parents=True)
    if json_file is not None:
        write_json(gate.verdict_to_dict(verdict), json_file)
    if json_file != "-":
        print_verdict(measured, verdict)
    return exit_code(verdict)
