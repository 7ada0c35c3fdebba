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
@click.option(
    "--sequential",
    is_flag=True,
    help="Bounds that hold however often one looks, for runs that grow (`import --append`).",
)
@click.option(
    "--self-check",
    "check",
    is_flag=True,
    help="Simulate from the run's own data how often these rules would ship wrongly, and their "
    "power.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option(
    "--attest",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write an in-toto Statement about the candidate's adapter, to be signed.",
)
@click.option(
    "--attest-subject",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The adapter's weights, where the run does not know them (imported scores).",
)
def command(
    run: Path,
    rules: Path | None,
    json_file: str | None,
    sequential: bool,
    check: bool,
    junit: Path | None,
    attest: Path | None,
    attest_subject: Path | None,
) -> int:
    """Decide whether the candidate of RUN may ship.

    Exit codes: 0 SHIP, 1 HOLD, 3 INCONCLUSIVE, 4 INVALID; 2 wrong usage, 70 an internal error.
    """
    from harness import gate
    from harness.cli._attest import write_statement
    from harness.cli._files import write_json
    from harness.cli._junit import junit as to_junit
    from harness.cli._selfcheck import print_self_check, self_check_to_dict
    from harness.cli._verdict import exit_code, print_verdict
    from harness.compare import COLUMNS
    from harness.rules import load_rules
    from harness.store.files import write_whole
    from harness.store.runs import read_run

    if attest_subject is not None and attest is None:
        raise click.UsageError("--attest-subject says what --attest is about: give both.")
    given = None if rules is None else load_rules(rules)
    measured = read_run(run, columns=COLUMNS)
    verdict = gate.decide(measured, given, strict=given is not None, sequential=sequential)
    checked = gate.self_check(measured, given, sequential=sequential) if check else None
    if attest is not None:
        write_statement(
            attest, attest_subject, measured, verdict, rules=given, sequential=sequential
        )
    if junit is not None:
        write_whole(junit, to_junit(verdict), parents=True)
    if json_file is not None:
        found = gate.verdict_to_dict(verdict)
        if checked is not None:
            found["self_check"] = self_check_to_dict(checked)
        write_json(found, json_file)
    if json_file != "-":
        print_verdict(measured, verdict)
        if checked is not None:
            print_self_check(checked)
    return exit_code(verdict)
