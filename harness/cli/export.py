"""``harness export``: a run for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json_option import json_option

if TYPE_CHECKING:
    from harness.store.runs import Run
    from harness.types import Verdict

_FILES = ("csv", "parquet", "model-index")


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice([*_FILES, "mlflow", "wandb"]),
    required=True,
    help="csv, parquet: a row a sample and variant. model-index: YAML for a model card. mlflow, "
    "wandb: as these are configured.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The file to write.")
@click.option("--variant", metavar="V", help="model-index: whose results.  [default: candidate]")
@click.option("--name", help="The model's, the experiment's or the project's.  [default: suite]")
@json_option
def command(
    run: Path,
    kind: str,
    out: Path | None,
    variant: str | None,
    name: str | None,
    json_file: str | None,
) -> None:
    """Write RUN in another form, or log it to a tracker.

    In Python: `harness.exports.to_pandas(harness.store.runs.read_run(RUN))`.
    """
    from harness.cli._files import write_json
    from harness.errors import UsageError
    from harness.store.runs import read_run

    if kind in ("mlflow", "wandb") and out is not None:
        raise UsageError(f"--out is for files; {kind} writes where it is configured to.")
    if variant is not None and kind != "model-index":
        raise UsageError("--variant goes with --format model-index.")
    measured = read_run(run)
    suite = name or str(measured.manifest.get("suite") or "imported")
    if kind in _FILES:
        where = str(_file(measured, kind, out, variant, suite))
    else:
        where = _tracked(measured, kind, suite)
    if json_file is not None:
        write_json({"schema_version": 1, "format": kind, "written": where}, json_file)
    if json_file != "-":
        click.echo(f"{kind}  {where}")


def _file(run: Run, kind: str, out: Path | None, variant: str | None, name: str) -> Path:
    from harness import exports
    from harness.errors import UsageError
    from harness.store.files import write_whole

    if out is None:
        raise UsageError(f"--format {kind} needs --out FILE.")
    if kind == "model-index":
        chosen = variant or _candidate(run)
        data = exports.model_index(run, chosen, name).encode("utf-8", "backslashreplace")
    else:
        data = _columns(run, kind)
    write_whole(out, data, parents=True)
    return out


def _candidate(run: Run) -> str:
    from harness.errors import UsageError

    verdict = _verdict(run)
    if verdict is None or verdict.candidate is None:
        raise UsageError("The run has no rules and so no candidate: say --variant.")
    return verdict.candidate


def _columns(run: Run, kind: str) -> bytes:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from harness import exports

    sink = pa.BufferOutputStream()
    table = exports.table(run)
    if kind == "csv":
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _tracked(run: Run, kind: str, name: str) -> str:
    from harness import exports

    log = exports.to_mlflow if kind == "mlflow" else exports.to_wandb
    return log(run, _verdict(run), name)


def _verdict(run: Run) -> Verdict | None:
    """By the run's own rules; None where it has none."""
    from harness import gate

    return None if run.manifest.get("rules") is None else gate.decide(run)
