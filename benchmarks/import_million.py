"""Seconds and memory of importing and gating many rows; not a test, as no claim is made of them.

    python benchmarks/import_million.py [--samples 500000] [--folder DIR]

Two variants over the samples, three metrics, made with a seed; each step is a process of its own,
as a user runs it, and its peak is the most memory that process held. Needs a POSIX system.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULES = """candidate = "new"
[[rule]]
metric = "exact_match"
role = "superior"
versus = "old"
margin = 0.01
[[rule]]
metric = "f1"
role = "non_inferior"
versus = "old"
margin = 0.01
[[rule]]
metric = "rouge_l"
role = "non_inferior"
versus = "best"
margin = 0.01
"""
# Peak memory of one child: resource counts all children of a process together.
CHILD = (
    "import resource, subprocess, sys\n"
    "code = subprocess.run(sys.argv[1:]).returncode\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    "sys.exit(code)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=500_000, help="of each of two variants")
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary one")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as made:
        folder = Path(made)
        rows, rules, run = folder / "scores.jsonl", folder / "rules.toml", folder / "run"
        make(rows, chosen.samples)
        rules.write_text(RULES, "utf-8")
        size = rows.stat().st_size / 1e6
        print(f"{2 * chosen.samples:,} rows, {3 * 2 * chosen.samples:,} scores, {size:.0f} MB")
        measure("import", ["import", rows, "--out", run], expected=0)
        measure("gate, three rules", ["gate", run, "--rules", rules], expected=0)


def make(path: Path, samples: int) -> None:
    """Scores of ``old``, and of ``new``, which is 2 points better at exact match."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for i in range(samples):
            for variant, rate in (("old", 0.60), ("new", 0.62)):
                hit = int(rng.random() < rate)
                f1, rouge = (round(rng.random(), 4) for _ in range(2))
                file.write(
                    f'{{"sample_id": "s{i}", "variant": "{variant}", "scores": '
                    f'{{"exact_match": {hit}, "f1": {f1}, "rouge_l": {rouge}}}}}\n'
                )


def measure(what: str, arguments: list[str | Path], *, expected: int) -> None:
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, *command], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode != expected:
        sys.exit(f"{what} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    peak = int(done.stdout.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)
    print(f"{what:<18} {seconds:6.1f} s  {peak / 1e9:5.2f} GB")


if __name__ == "__main__":
    main()
