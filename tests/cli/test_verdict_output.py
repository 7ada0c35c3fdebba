"""What ``gate`` and ``run`` print: each fact once, in few lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import made_run, superior

from harness.store.runs import write_run

BASE = {"model": "hf:owner/a-model-of-a-long-name", "precision": "bf16"}
LORA = {"lora_r": 16, "lora_alpha": 32, "learning_rate": 2e-4}
RECIPES = {
    "adapter": {**BASE, "name": "adapter", "precision": "nf4", "adapter": LORA},
    "plain": {**BASE, "name": "plain"},
    "rag": {**BASE, "name": "rag", "retriever": {"kind": "bm25", "k": 3}, "shots": {"k": 2}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    values = {
        "adapter": [0.5 + (i % 5) / 10 for i in range(400)],
        "plain": [0.4 + (i % 7) / 20 for i in range(400)],
        "rag": [0.5 + (i % 3) / 10 for i in range(400)],
    }
    made = made_run(values, adapters=["adapter"])
    for name, entry in made.manifest["variants"].items():
        entry["recipe"] = RECIPES[name]
    manifest = {
        **made.manifest,
        "rules": {"candidate": "adapter", "rule": [superior("best", 0.1), superior("plain", 0.5)]},
        "warnings": ["t, rag: 2 of 40 answers reached max_new_tokens and may be cut."],
    }
    return write_run(tmp_path / "run", manifest, made.outputs, made.scores)


def test_what_differs_is_told_once_by_parts(run: Path, harness_cli) -> None:
    done = harness_cli("gate", run)
    about = [line for line in done.stdout.splitlines() if " differ in " in line]
    assert about == [
        "adapter and plain differ in precision (bf16 -> nf4), adapter.",
        "adapter and rag differ in precision (bf16 -> nf4), adapter, retriever, shots.",
    ]


def test_nothing_is_said_of_a_variant_that_was_not_measured(tmp_path: Path, harness_cli) -> None:
    made = made_run({"plain": [i % 2 for i in range(40)]})
    made.manifest["variants"]["plain"]["recipe"] = RECIPES["plain"]
    manifest = {
        **made.manifest,
        "rules": {"candidate": "adapter", "rule": [superior("plain")]},
        "not_measured": {"adapter": {"has_adapter": True}},
    }
    done = harness_cli("gate", write_run(tmp_path / "run", manifest, made.outputs, made.scores))
    assert done.returncode == 4
    assert "the candidate 'adapter' was not measured" in done.stdout
    assert " differ in " not in done.stdout


def test_a_reason_does_not_repeat_the_columns(run: Path, harness_cli) -> None:
    done = harness_cli("gate", run)
    rows = re.findall(r"\[[+-][\d.]+, [+-][\d.]+\]", done.stdout)
    assert len(rows) == 3, "an interval a row"
    reasons = [line for line in done.stdout.splitlines() if "difference > " in line]
    assert len(reasons) == 2, "a reason for each row but SHIP"
    assert all(line.split("Student's t")[0].endswith("(") for line in reasons)
    assert "interval [" not in done.stdout


def test_warnings_follow_the_verdict_with_those_of_the_run(run: Path, harness_cli) -> None:
    lines = harness_cli("gate", run).stdout.splitlines()
    verdict = next(i for i, line in enumerate(lines) if line.startswith("verdict "))
    warnings = [i for i, line in enumerate(lines) if line.startswith("Warning: ")]
    assert min(warnings) > verdict
    assert any("2 of 40 answers reached max_new_tokens" in lines[i] for i in warnings)
    assert len({lines[i] for i in warnings}) == len(warnings)


@pytest.mark.parametrize("wrong", ["gpu", "cuda:", "cuda:x", "CPU", ""])
@pytest.mark.parametrize("command", ["run", "train"])
def test_a_device_that_is_none_is_usage(command: str, wrong: str, harness_cli) -> None:
    done = harness_cli(command, "nowhere", "--device", wrong)
    assert done.returncode == 2
    assert "is no device. Write auto, cpu, mps, cuda or cuda:N." in done.stderr


@pytest.mark.parametrize("right", ["auto", "cpu", "mps", "cuda", "cuda:12"])
def test_every_device_may_be_named(right: str, harness_cli) -> None:
    done = harness_cli("run", "nowhere", "--device", right)
    assert "There is no suite at 'nowhere'" in done.stderr


@pytest.mark.parametrize("command", ["gate", "compare", "report", "import"])
def test_a_reader_that_goes_away_is_no_hold(command: str, run: Path, tmp_path: Path) -> None:
    """`harness gate run | head`: rich and click, left to themselves, would exit with 1."""
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"sample_id": "1", "variant": "a", "scores": {"m": 1}}\n')
    about = [scores, "--out", tmp_path / "imported"] if command == "import" else [run]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "harness", command, *map(str, about)],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
