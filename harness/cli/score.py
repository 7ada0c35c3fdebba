"""``harness score``: metrics of predictions that exist already."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._strict_json import loads
from harness.errors import DataError, UsageError
from harness.store.files import write_whole

if TYPE_CHECKING:
    from harness.types import Sample, Score, Scorer

SCHEMA_VERSION = 1
_MOST_REASONS = 20


@click.command()
@click.argument("predictions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--scorer",
    "names",
    metavar="NAME",
    multiple=True,
    required=True,
    help="Scorer, metric, or function of a file of yours (checks.py:NAME); repeat it or separate "
    "several by commas.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where rows go.")
@click.option("--json", "as_json", is_flag=True, help="Summary as JSON on standard output.")
@click.option(
    "--encoder",
    metavar="REF",
    help="bertscore, embedding_similarity: model reference of the encoder.",
)
@click.option("--regex", help="format: what the whole output must match.")
@click.option(
    "--label", "labels", multiple=True, help="format, choice: an allowed output; repeat it."
)
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="format, json_schema: file with the JSON Schema that the output must fit.",
)
@click.option(
    "--option",
    "options",
    metavar="NAME.KEY=VALUE",
    multiple=True,
    help="Any option of any scorer, such as rouge.stemmer=true; VALUE is JSON or else a string. "
    "Repeat it.",
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
    options: tuple[str, ...],
) -> None:
    """Score a file of predictions.

    PREDICTIONS has a JSON object a line: {"id": str, "prediction": str, "reference": str or
    [str]}, and where a scorer looks at them "input" (str or chat messages) and "metadata" (an
    object). Rows {"id", "scores": {metric: number or null}} go to --out, else (without --json) to
    standard output; null is unscored.
    """
    from harness import scorers as package
    from harness.cli._chosen import chosen
    from harness.cli._predictions import read
    from harness.pipeline.wiring import Encoders, wired

    if out is not None and out.exists() and out.samefile(predictions):
        raise UsageError(f"--out {out} is the file of predictions. Name another file.")
    wanted = list(dict.fromkeys(n.strip() for text in names for n in text.split(",") if n.strip()))
    if not wanted:
        raise UsageError("--scorer needs a name.")
    flags = {"encoder": encoder, "regex": regex, "labels": labels or None}
    flags["schema"] = None if schema is None else _schema(schema)
    # What a user's own scorer prints is no row.
    with redirect_stdout(sys.stderr):
        scorers = wired(chosen(wanted, flags, options), Encoders())
        referenced = any(package.needs_target(scorer) for scorer in scorers)
        texts, samples = read(predictions, referenced)
        rows = package.score_all(scorers, texts, samples)
    summary = _summary(predictions, scorers, rows)
    lines = list(_lines(samples, rows))
    if out is not None:
        write_whole(out, "".join(f"{line}\n" for line in lines).encode())
    elif not as_json:
        for line in lines:
            click.echo(line)
    if as_json:
        _echo(json.dumps(summary, ensure_ascii=False, allow_nan=False, indent=2))
    else:
        # Rows on standard output stay clean for the next program.
        _echo(_table(summary), err=out is None)


def _schema(file: Path) -> Any:
    try:
        return loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"--schema {file} is no strict JSON: {error}.") from error


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
            "mean": _mean(values) if values else None,
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


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        # The sum is too large for a float, the mean of finite values never is.
        return math.fsum(value / len(values) for value in values)


def _table(summary: Mapping[str, Any]) -> str:
    """A line a metric, in columns; below them each reason once, with the metrics it is of."""
    metrics = summary["metrics"]
    rows = [
        (
            f"{name}:",
            "no mean" if m["mean"] is None else f"mean {m['mean']:.4f}",
            f"{m['scored']} scored",
            f"{m['unscored']} unscored",
        )
        for name, m in metrics.items()
    ]
    first, *wide = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        f"{name:{first}} " + ", ".join(f"{t:>{w}}" for t, w in zip(texts, wide, strict=True))
        for name, *texts in rows
    ]
    said: dict[tuple[str, int], list[str]] = {}
    for name, m in metrics.items():
        for text, count in (*m["reasons"].items(), *m["remarks"].items()):
            said.setdefault((text, count), []).append(name)
    for (text, count), names in list(said.items())[:_MOST_REASONS]:
        lines.append(f"  {count} x {' '.join(text.split()):.200} ({_some(names)})")
    if len(said) > _MOST_REASONS:
        lines.append(f"  … and {len(said) - _MOST_REASONS} other reasons; --json has them all")
    return "\n".join(lines)


def _some(names: Sequence[str]) -> str:
    more = len(names) - 4
    return ", ".join(names[:4]) + (f" and {more} more" if more > 0 else "")


def _echo(text: str, err: bool = False) -> None:
    # A reason may hold a lone surrogate that no stream can; in JSON the escape stands for it.
    click.echo(text.encode("utf-8", "backslashreplace").decode(), err=err)
