"""``harness score`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROWS = [
    {"id": "a", "prediction": " Paris\n", "reference": "Paris", "model": "m"},
    {"id": "b", "prediction": "the cat", "reference": ["a cat", "dog"]},
    {"id": "c", "prediction": "", "reference": "日本語"},
    {"id": "d", "prediction": "x", "reference": []},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, *(json.dumps(row) for row in ROWS))


def write(folder: Path, *lines: str) -> Path:
    path = folder / "predictions.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def score(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "score", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lines(text: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines()]
    assert all(set(row) == {"id", "scores"} for row in rows)
    return {row["id"]: row["scores"] for row in rows}


def test_rows_and_summary(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    done = score(file, "--scorer", "exact_match,f1", "--scorer", "rouge_l", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    rows = lines(out.read_text("utf-8"))
    assert list(rows) == ["a", "b", "c", "d"]
    assert rows["a"] == {"exact_match": 1.0, "f1": 1.0, "rouge_l": 1.0}
    assert rows["b"] == {"exact_match": 0.0, "f1": 1.0, "rouge_l": 0.5}
    assert rows["c"] == {"exact_match": 0.0, "f1": 0.0, "rouge_l": None}
    assert rows["d"] == {"exact_match": None, "f1": None, "rouge_l": None}
    summary = json.loads(done.stdout)
    assert summary["n"] == 4
    counts = {k: (m["scored"], m["unscored"], m["mean"]) for k, m in summary["metrics"].items()}
    assert counts == {
        "exact_match": (3, 1, pytest.approx(1 / 3)),
        "f1": (3, 1, pytest.approx(2 / 3)),
        "rouge_l": (2, 2, pytest.approx(0.75)),
    }
    assert summary["metrics"]["f1"]["reasons"] == {"the sample has no target": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.jsonl", "scores.jsonl"]


def test_without_out_rows_go_to_standard_output_alone(file: Path) -> None:
    done = score(file, "--scorer", "f1")
    assert done.returncode == 0
    assert set(lines(done.stdout)) == {"a", "b", "c", "d"}
    assert "3 scored, 1 unscored" in done.stderr


def test_format_needs_no_reference(tmp_path: Path) -> None:
    file = write(tmp_path, '{"id": "a", "prediction": "yes"}', '{"id": "b", "prediction": "Yes."}')
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "number"}')
    labels = score(file, "--scorer", "format", "--label", "yes", "--label", "no")
    assert lines(labels.stdout) == {"a": {"format": 1.0}, "b": {"format": 0.0}}
    regex = score(file, "--scorer", "format", "--regex", "(?i)yes[.]?")
    assert lines(regex.stdout) == {"a": {"format": 1.0}, "b": {"format": 1.0}}
    strict = score(file, "--scorer", "format", "--schema", schema)
    assert lines(strict.stdout) == {"a": {"format": 0.0}, "b": {"format": 0.0}}
    needs = score(file, "--scorer", "format", "--label", "yes", "--scorer", "f1")
    assert needs.returncode == 2
    assert "line 1: 'reference'" in needs.stderr


GOOD = json.dumps(ROWS[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"id": "b", "prediction": "x"', "not JSON"),
        ('{"id": "b", "prediction": NaN, "reference": "x"}', "NaN is not JSON"),
        ('["b"]', "must be a JSON object"),
        ('{"id": 2, "prediction": "x", "reference": "x"}', "'id' must be a string, got 2"),
        ('{"id": "b", "prediction": null, "reference": "x"}', "'prediction' must be a string"),
        ('{"id": "b", "reference": "x"}', "'prediction' must be a string, got nothing"),
        ('{"id": "b", "prediction": "x", "reference": [1]}', "'reference' must be"),
        ('{"id": "b", "prediction": "x", "refrence": "x"}', "'reference' must be"),
        (GOOD, "the id 'a' is there already"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, bad: str, message: str) -> None:
    out = tmp_path / "scores.jsonl"
    out.write_text("kept")
    done = score(write(tmp_path, GOOD, "", bad), "--scorer", "f1", "--out", out)
    assert done.returncode == 2
    assert "predictions.jsonl, line 3" in done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert out.read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--scorer"),
        (["--scorer", "rogue"], "Did you mean 'rouge'"),
        (["--scorer", "format"], "exactly one of --regex"),
        (["--scorer", "f1", "--regex", "a"], "go with --scorer format"),
        (["--scorer", "f1", "--encoder", "./e"], "goes with --scorer bertscore"),
        (["--scorer", "format", "--regex", "("], "invalid"),
        (["--scorer", "f1", "--out", "no/such/folder/file"], "cannot be written"),
    ],
)
def test_wrong_use_is_explained(file: Path, arguments: list[str], message: str) -> None:
    done = score(file, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_predictions_are_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    done = score(file, "--scorer", "f1", "--out", file)
    assert done.returncode == 2
    assert file.read_bytes() == before


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    done = score(write(tmp_path), "--scorer", "f1")
    assert done.returncode == 2
    assert "no rows" in done.stderr
