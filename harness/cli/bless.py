"""``harness bless``: a run becomes the baseline that later runs are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json_option import json_option

if TYPE_CHECKING:
    from harness.cli._summary import Key
    from harness.store.runs import Run
    from harness.types import Summary, Verdict


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", help="Of the baseline. Default: the run's suite.")
@click.option("--force", is_flag=True, help="Also a run whose verdict is INVALID.")
@json_option
def command(run: Path, name: str | None, force: bool, json_file: str | None) -> None:
    """Copy RUN to baselines/NAME/run, and write baselines/NAME/summary.md.

    Both are meant to be committed: the summary is what a reviewer reads. An earlier baseline of
    that name is replaced, and what changed in the means is printed. Compare with it by
    `harness compare baselines/NAME/run RUN`.

    Refused (exit code 4): a run that changed after it was written; without --force, one whose
    verdict is INVALID.
    """
    from harness.cli._files import write_json
    from harness.cli._summary import means, summary
    from harness.compare import COLUMNS, summaries
    from harness.errors import InvalidRun
    from harness.store import baselines
    from harness.store.runs import read_run

    measured = read_run(run, columns=COLUMNS)
    name = _name(measured, name)
    if measured.tampered:
        raise InvalidRun(
            f"'{run}': {', '.join(measured.tampered)} changed after the run was written. Measure "
            "or import again."
        )
    verdict = _verdict(measured, force)
    found = means(summaries(measured))
    if not found:
        raise InvalidRun(f"'{run}' has no score, so nothing can be held against it.")
    place = baselines.baseline(name)
    told = _changes(place, found)
    baselines.bless(measured.path or run, name, summary(name, measured, verdict, found))
    text = place.with_name(baselines.SUMMARY)
    if json_file is not None:
        made = {"name": name, "baseline": str(place), "summary": str(text), "changes": told}
        write_json({"schema_version": 1, **made}, json_file)
    if json_file != "-":
        for line in told:
            click.echo(line)
        click.echo(f"baseline  {place}")
        click.echo(f"summary   {text}")


def _name(run: Run, given: str | None) -> str:
    from harness.errors import UsageError
    from harness.recipes import check_name

    name = run.manifest.get("suite") if given is None else given
    if not isinstance(name, str):
        raise UsageError(f"'{run.path}' belongs to no suite. Name the baseline with --name.")
    check_name(name, "A baseline")
    return name


def _verdict(run: Run, force: bool) -> Verdict | None:
    """By the run's own rules; None where it has none."""
    from harness import gate
    from harness.errors import InvalidRun
    from harness.types import Status

    if run.manifest.get("rules") is None:
        return None
    verdict = gate.decide(run)
    if verdict.status is Status.INVALID and not force:
        reasons = [r.reason for r in verdict.rules if r.gating and r.status is Status.INVALID]
        told = dict.fromkeys(reasons or verdict.warnings)
        raise InvalidRun(
            f"The verdict of '{run.path}' is INVALID: {'; '.join(told)}. Measure again, or bless "
            "it all the same with --force."
        )
    return verdict


def _changes(place: Path, found: Mapping[Key, Summary]) -> list[str]:
    """What differs from the baseline that is there, if any."""
    from harness.cli._summary import changes, means
    from harness.compare import COLUMNS, summaries
    from harness.errors import RunError
    from harness.store.runs import read_run

    if not place.exists():
        return []
    try:
        earlier = read_run(place, columns=COLUMNS)
        old = means(summaries(earlier))
    except RunError as error:
        return [f"The earlier baseline cannot be compared with: {error}"]
    warning = f"The earlier baseline was edited: {', '.join(earlier.tampered)}."
    told = changes(old, found) or ["No mean changed."]
    return [warning, *told] if earlier.tampered else told
