"""``harness score``: metrics of predictions that exist already."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import DataError, UsageError
from harness.store.files import write_whole

if TYPE_CHECKING:
    from harness.types import Sample, Score, Scorer

SCHEMA_VERSION = 1


@click.command()
@click.argument("predictions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--scorer",
    "names",
    metavar="NAME",
    multiple=True,
    required=True,
    help="Scorer or metric; repeat it or separate several by commas.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where rows go.")
@click.option("--json", "as_json", is_flag=True, help="Summary as JSON on standard output.")
@click.option("--encoder", metavar="REF", help="bertscore: model reference of the encoder.")
@click.option("--regex", help="format: what the whole output must match.")
@click.option("--label", "labels", multiple=True, help="format: an allowed output; repeat it.")
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="format: file with the JSON Schema that the output must fit.",
)
def command(
    predictions: Path,
    names: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    encoder: str | None,
    regex: str | None,
    labels: tuple[str, ...],
    schema: Path | None,
) -> None:
    """Score a file of predictions.

    PREDICTIONS has a JSON object a line: {"id": str, "prediction": str, "reference": str or
    [str]}. Rows {"id", "scores": {metric: number or null}} go to --out, else (without --json) to
    standard output; null is unscored.
    """
    from harness import scorers as package

    if out is not None and out.exists() and out.samefile(predictions):
        raise UsageError(f"--out {out} is the file of predictions. Name another file.")
    wanted = list(dict.fromkeys(n.strip() for text in names for n in text.split(",") if n.strip()))
    scorers = _scorers(wanted, encoder, regex, labels, schema)
    referenced = any(package.needs_target(scorer) for scorer in scorers)
    texts, samples = _read(predictions, referenced)
    rows = package.score_all(scorers, texts, samples)
    summary = _summary(predictions, scorers, rows)
    lines = list(_lines(samples, rows))
    if out is not None:
        write_whole(out, "".join(f"{line}\n" for line in lines).encode())
    elif not as_json:
        for line in lines:
            click.echo(line)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False, indent=2))
    else:
        # Rows on standard output stay clean for the next program.
        click.echo(_table(summary), err=out is None)


def _scorers(
    names: Sequence[str],
    encoder: str | None,
    regex: str | None,
    labels: Sequence[str],
    schema: Path | None,
) -> list[Scorer]:
    from harness.scorers import BertScore, Format, only, resolve

    forms: dict[str, Any] = {"regex": regex, "labels": list(labels) or None}
    forms["schema"] = _schema(schema) if schema is not None else None
    forms = {key: value for key, value in forms.items() if value is not None}
    if not names:
        raise UsageError("--scorer needs a name.")
    if forms and "format" not in names:
        raise UsageError("--regex, --label and --schema go with --scorer format.")
    if "format" in names and len(forms) != 1:
        raise UsageError("--scorer format needs exactly one of --regex, --label and --schema.")
    made: dict[str, Scorer] = {}
    if forms:
        made["format"] = Format(**forms)
    if encoder is not None:
        bertscore = BertScore(encoder=encoder)
        made |= {metric.name: only(bertscore, metric.name) for metric in bertscore.metrics}
        made["bertscore"] = bertscore
        if not any(name.startswith("bertscore") for name in names):
            raise UsageError("--encoder goes with --scorer bertscore.")
    return [made.get(name) or resolve(name) for name in names]


def _schema(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{file} is not JSON: {error}") from error


def _read(file: Path, referenced: bool) -> tuple[list[str], list[Sample]]:
    """Predictions and what to hold them against. Raises DataError with file and line."""
    from harness.types import Sample

    texts: list[str] = []
    samples: dict[str, Sample] = {}
    for where, row in _objects(file):
        key, text = row.get("id"), row.get("prediction")
        if not isinstance(key, str):
            raise DataError(f"{where}: 'id' must be a string, got {_shown(row, 'id')}.")
        if not isinstance(text, str):
            raise DataError(
                f"{where}: 'prediction' must be a string, got {_shown(row, 'prediction')}."
            )
        if key in samples:
            raise DataError(f"{where}: the id '{key}' is there already. Ids must be unique.")
        targets: tuple[str, ...] = ()
        if referenced or "reference" in row:
            targets = _targets(where, row)
        texts.append(text)
        samples[key] = Sample(key, "", targets)
    if not texts:
        raise DataError(f"{file} has no rows.")
    return texts, list(samples.values())


def _targets(where: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    reference = row.get("reference")
    if isinstance(reference, str):
        return (reference,)
    if isinstance(reference, list) and all(isinstance(item, str) for item in reference):
        return tuple(reference)
    raise DataError(
        f"{where}: 'reference' must be a string or a list of strings, got "
        f"{_shown(row, 'reference')}."
    )


def _shown(row: Mapping[str, Any], key: str) -> str:
    return json.dumps(row[key], ensure_ascii=False)[:80] if key in row else "nothing"


def _objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file}, line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                value = json.loads(text, parse_constant=_refuse) if text.strip() else None
            except (ValueError, RecursionError) as error:
                raise DataError(f"{where}: not JSON: {error}") from error
            if not text.strip():
                continue
            if not isinstance(value, dict):
                raise DataError(f"{where}: a row must be a JSON object.")
            yield where, value


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _lines(samples: Sequence[Sample], rows: Sequence[Mapping[str, Score]]) -> Iterator[str]:
    for sample, row in zip(samples, rows, strict=True):
        scores = {name: score.value for name, score in row.items()}
        # ASCII, because an id may hold a lone surrogate that no file can.
        yield json.dumps({"id": sample.id, "scores": scores}, allow_nan=False)


def _summary(
    file: Path, scorers: Sequence[Scorer], rows: Sequence[Mapping[str, Score]]
) -> dict[str, Any]:
    metrics = {}
    for metric in (m for scorer in scorers for m in scorer.metrics):
        scores = [row[metric.name] for row in rows]
        values = [score.value for score in scores if score.value is not None]
        unscored = Counter(s.reason or "" for s in scores if s.value is None)
        remarks = Counter(s.reason for s in scores if s.value is not None and s.reason)
        metrics[metric.name] = {
            "mean": sum(values) / len(values) if values else None,
            "scored": len(values),
            "unscored": len(scores) - len(values),
            "reasons": dict(unscored.most_common()),
            "remarks": dict(remarks.most_common()),
            "higher_is_better": metric.higher_is_better,
            "definition": metric.definition,
            "version": metric.version,
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "predictions": str(file),
        "n": len(rows),
        "metrics": metrics,
    }


def _table(summary: Mapping[str, Any]) -> str:
    lines = []
    for name, m in summary["metrics"].items():
        mean = "no mean" if m["mean"] is None else f"mean {m['mean']:.4f}"
        lines.append(f"{name}: {mean}, {m['scored']} scored, {m['unscored']} unscored")
        said = [*m["reasons"].items(), *m["remarks"].items()]
        lines += [f"  {count} x {reason}" for reason, count in said]
    return "\n".join(lines)
