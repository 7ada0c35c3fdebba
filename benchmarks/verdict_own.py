"""This package's side of ``time_to_verdict.py``: all variants in one ``harness run``."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from processes import Spent, measured

from harness import models

# A verdict of any kind ends the work; what is timed is how soon it is there.
VERDICTS = {0: "SHIP", 1: "HOLD", 3: "INCONCLUSIVE", 4: "INVALID"}


@dataclass(frozen=True)
class Ran:
    spent: Spent
    verdict: str
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]
    """Of outputs.parquet."""
    means: dict[str, dict[str, float]]
    """Metric to variant to mean."""

    @property
    def samples(self) -> int:
        return int(self.manifest["tasks"]["codes"]["n"])

    def of(self, variant: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["variant"] == variant]


def run(suite: Path, place: Path, env: dict[str, str], *options: str, fresh: bool = True) -> Ran:
    """``harness run`` in a process of its own. ``fresh``: with a cache that holds nothing."""
    if fresh:
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    out = place / "run"
    shutil.rmtree(out, ignore_errors=True)
    spent = measured(
        [sys.executable, "-m", "harness", "run", suite, "--out", out, *options],
        place / "log.txt",
        cwd=place,
        env={**env, "HARNESS_CACHE": str(place / "cache")},
        codes=VERDICTS,
    )
    manifest = json.loads((out / "run.json").read_text("utf-8"))
    rows = pq.read_table(out / "outputs.parquet").to_pylist()
    return Ran(spent, VERDICTS[spent.code], manifest, rows, _means(out / "scores.parquet"))


def prompts(ran: Ran, variant: str, file: Path) -> Path:
    """What the variant's model was sent, for the peers."""
    rows = [
        {"id": r["sample_id"], "prompt": r["prompt"], "target": json.loads(r["target"])[0]}
        for r in ran.of(variant)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def token_ids(base: Path, texts: list[str]) -> list[list[int]]:
    return models.encode(models.load_tokenizer(base), texts)


def _means(file: Path) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, list[float]]] = {}
    for row in pq.read_table(file).to_pylist():
        if row["value"] is not None:
            values.setdefault(row["metric"], {}).setdefault(row["variant"], []).append(row["value"])
    return {
        metric: {variant: statistics.fmean(some) for variant, some in of.items()}
        for metric, of in values.items()
    }
