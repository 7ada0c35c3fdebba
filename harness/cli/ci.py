"""``harness ci``: a stored run's verdict, told where a CI service shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.store.runs import Run
    from harness.types import Comparison, RuleSet, Verdict


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--rules", type=click.Path(path_type=Path), metavar="RULES.toml", help="Instead of the run's."
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The blessed run, as the base branch has it: the candidate is compared with itself then.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, min_open=True),
    metavar="M",
    help="Gate also that the candidate is no worse than in --baseline, by M.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option(
    "--summary", type=click.Path(path_type=Path), metavar="FILE", help="Write the Markdown too."
)
@click.option("--link", "links", multiple=True, metavar="NAME=URL", help="Shown at the end.")
@click.option("--suite-file", metavar="FILE", default="", help="Where annotations point.")
@click.option("--no-comment", is_flag=True, help="Write no comment on the pull or merge request.")
@click.option("--report-only", is_flag=True, help="Exit 0 for SHIP, HOLD and INCONCLUSIVE alike.")
def command(
    run: Path,
    rules: Path | None,
    baseline: Path | None,
    max_drop: float | None,
    junit: Path | None,
    summary: Path | None,
    links: tuple[str, ...],
    suite_file: str,
    no_comment: bool,
    report_only: bool,
) -> int:
    """Gate RUN and tell the verdict where GitHub Actions or GitLab CI shows it.

    In a job of GitHub Actions: outputs (verdict, recommendation, exit-code), the step summary,
    annotations, and one comment on the pull request that is updated by later runs. Elsewhere the
    Markdown goes to standard output, and in GitLab CI to one note on the merge request as well.

    Exit codes: 0 SHIP, 1 HOLD, 3 INCONCLUSIVE, 4 INVALID; 2 wrong usage, 70 an internal error.
    """
    from harness.cli import _ci_github, _ci_gitlab, _ci_text
    from harness.cli._junit import junit as to_junit
    from harness.cli._verdict import exit_code
    from harness.report.write import material_of
    from harness.rules import load_rules
    from harness.store.files import write_whole
    from harness.store.runs import read_run

    if max_drop is not None and baseline is None:
        raise click.UsageError("--max-drop says how far below --baseline is allowed: give both.")
    given = None if rules is None else load_rules(rules)
    measured = read_run(run)
    held, material = material_of(measured, given)
    verdict = material.verdict
    rows, drop = _baseline(measured, verdict, held, baseline, max_drop)
    suite = str(measured.manifest.get("suite") or Path(run).resolve().name)
    text = _ci_text.markdown(
        suite, material, held, against=rows, drop=drop, links=[_link(link) for link in links]
    )
    if junit is not None:
        write_whole(junit, to_junit(verdict), parents=True)
    if summary is not None:
        write_whole(summary, text.encode("utf-8"), parents=True)
    code = exit_code(verdict, report_only=report_only)
    if drop is not None and code == 0:
        code = exit_code(drop, report_only=report_only)
    if _ci_github.active():
        _tell(text, suite, verdict, code, suite_file, comment=not no_comment)
        return code
    click.echo(text)
    if _ci_gitlab.active() and not no_comment:
        _note(text, suite)
    return code


def _baseline(
    run: Run, verdict: Verdict, rules: RuleSet | None, baseline: Path | None, margin: float | None
) -> tuple[list[Comparison], Verdict | None]:
    from harness.cli._ci_baseline import against, regression

    if baseline is None or verdict.candidate is None:
        return [], None
    both, rows, warnings = against(run, baseline, verdict.candidate)
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    drop = None if margin is None or rules is None else regression(both, rules, margin)
    return rows, drop


def _link(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not equals or not address.startswith(("https://", "http://")):
        raise click.UsageError(f"--link must be NAME=URL, got '{text}'.")
    return name, address


def _tell(
    text: str, suite: str, verdict: Verdict, code: int, suite_file: str, *, comment: bool
) -> None:
    from harness.cli import _ci_github, _ci_text

    values = {
        "verdict": verdict.status.value,
        "recommendation": verdict.recommendation or "",
        "exit-code": str(code),
    }
    _ci_github.append("GITHUB_OUTPUT", _ci_github.outputs(values))
    _ci_github.append("GITHUB_STEP_SUMMARY", text)
    for line in _ci_github.notes(verdict, suite_file):
        click.echo(line)
    pull = _ci_github.pull_request() if comment else None
    if pull is not None:
        _commented(lambda: _ci_github.comment(text, _ci_text.marker(suite), pull))


def _note(text: str, suite: str) -> None:
    from harness.cli import _ci_gitlab, _ci_text

    number = _ci_gitlab.merge_request()
    if number is not None:
        _commented(lambda: _ci_gitlab.comment(text, _ci_text.marker(suite), number))


def _commented(write: Callable[[], str]) -> None:
    from harness.cli._ci_comment import Refused

    try:
        click.echo(f"comment  {write()}")
    except Refused as error:
        # The verdict stands without it; the summary has the same text.
        click.echo(f"No comment was written: {error}. The summary says the same.")
