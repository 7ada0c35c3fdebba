"""``harness judge``: how far a judge can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.errors import UsageError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SUITE = click.argument("suite", type=click.Path(path_type=Path), required=False)
_METRIC = click.option(
    "--metric", metavar="NAME", help="The judge's metric, where the suite has several judges."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Figures as JSON on standard output.")


@click.group()
def command() -> None:
    """Hold a judge against human labels, and try to fool it (docs/judge.md)."""


@command.command()
@_SUITE
@click.option(
    "--judgments",
    type=_FILE,
    help="Recorded pairwise verdicts, a JSON object a line; then no judge is asked and no "
    "calibration is written.",
)
@click.option("--labels", type=_FILE, help="Human labels, a JSON object a line.")
@click.option(
    "--run",
    "run_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The run whose answers were labelled, where the labels name samples and variants.",
)
@_METRIC
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where it is written.")
@click.option("--no-probes", is_flag=True, help="Do not try to fool the judge as well.")
@_JSON
def calibrate(
    suite: Path | None,
    judgments: Path | None,
    labels: Path | None,
    run_folder: Path | None,
    metric: str | None,
    out: Path | None,
    no_probes: bool,
    as_json: bool,
) -> int:
    """Hold the judge of SUITE against human labels and write its calibration, to which rules on
    its metric look; or hold recorded verdicts (--judgments) against them.

    Labels of a pointwise judge are {"sample_id", "human": 1 to 5} with "variant" (and --run), or
    with "input", "answer" and, where the rubric shows one, "target". Those of a pairwise judge are
    {"sample_id", "human": "1", "2" or "tie"} with "variant_1" and "variant_2" (and --run), or with
    "input", "answer_1", "answer_2". Recorded verdicts are {"sample_id", "judge", "human",
    "forward", "swapped"}, both in the data's own order.
    """
    from harness.cli import _calibrate

    if judgments is not None:
        given = {"SUITE": suite, "--labels": labels, "--run": run_folder, "--metric": metric}
        named = [name for name, value in {**given, "--out": out}.items() if value is not None]
        if named:
            raise UsageError(f"--judgments asks no judge, so {named[0]} has no effect. Remove it.")
        return _shown(_calibrate.recorded(judgments), as_json)
    if suite is None or labels is None:
        raise UsageError(
            "Name the suite whose judge to calibrate and its labels (harness judge calibrate SUITE "
            "--labels FILE), or recorded verdicts (--judgments FILE)."
        )
    made = _calibrate.live(suite, labels, run_folder, metric, out, probe=not no_probes)
    return _shown(made.by_judge, as_json, made)


@command.command()
@_SUITE
@_METRIC
@_JSON
def probe(suite: Path | None, metric: str | None, as_json: bool) -> int:
    """Try to fool the judge of SUITE: a table of attempts and how often each worked."""
    from harness.cli import _calibrate, _calibrated

    if suite is None:
        raise UsageError("Name the suite whose judge to probe: harness judge probe SUITE.")
    rows = _calibrate.probed(suite, metric)
    if as_json:
        _calibrated.echo_json({"schema_version": 1, "probes": rows})
    else:
        _calibrated.print_probes(rows)
    return 0


def _shown(by_judge: dict[str, Any], as_json: bool, made: Any = None) -> int:
    from harness.cli import _calibrated

    if as_json:
        _calibrated.echo_json(by_judge if made is None else made.document)
    else:
        _calibrated.print_figures(by_judge)
        if made is not None:
            _calibrated.print_made(made)
    return 0
