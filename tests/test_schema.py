"""What an outsider relies on: files that pandas reads, the keys of the JSON, the exit codes.

Everything goes through the command line and public formats; nothing of the harness is imported.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

OUTPUTS = {
    **dict.fromkeys(("task", "sample_id", "variant", "cluster", "metadata", "input"), "string"),
    **dict.fromkeys(("target", "prompt", "output", "retrieved"), "string"),
    "latency_s": "double",
    "tokens_in": "int64",
    "tokens_out": "int64",
    "cost": "double",
    **dict.fromkeys(("finish_reason", "error"), "string"),
}
SCORES = {
    **dict.fromkeys(("task", "sample_id", "variant", "metric"), "string"),
    "value": "double",
    "reason": "string",
}
ROW_KEYS = [
    *("metric", "role", "task", "slice", "versus", "margin", "alpha", "ci_level", "estimate"),
    *("ci_low", "ci_high", "n", "n_unscored", "status", "gating", "reason", "more_samples"),
]
RULES = """
candidate = "new"
[[rule]]
metric = "quality"
role = "{role}"
versus = "{versus}"
margin = {margin}
"""


def harness(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def rows(n: int = 200, gain: float = 0.2) -> list[dict[str, object]]:
    rng = random.Random(0)
    made: list[dict[str, object]] = []
    for i in range(n):
        base = rng.uniform(0.2, 0.6)
        for variant, value in (("old", base), ("new", base + gain + rng.uniform(-0.1, 0.1))):
            row = {"sample_id": f"é{i}", "variant": variant, "scores": {"quality": value, "ok": 1}}
            made.append(row)
    made[0] |= {"cluster": "c1", "metadata": {"topic": "x"}, "input": "q", "target": "t"}
    made[0] |= {"output": "o", "latency_s": 0.5, "cost": 2}
    made[1] |= {"scores": {"quality": None, "ok": 1}}
    return made


def write_jsonl(path: Path, made: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema")
    result = harness("import", write_jsonl(folder / "s.jsonl", rows()), "--out", folder / "run")
    assert result.returncode == 0, result.stderr
    return folder / "run"


def gate(run: Path, folder: Path, role: str, margin: float, versus: str = "old"):
    rules = folder / "rules.toml"
    rules.write_text(RULES.format(role=role, versus=versus, margin=margin), encoding="utf-8")
    return harness("gate", run, "--rules", rules, "--json", folder / "verdict.json")


def test_a_run_is_three_files(run):
    names = sorted(p.name for p in run.iterdir())
    assert names == ["outputs.parquet", "run.json", "scores.parquet"]


@pytest.mark.parametrize(("name", "columns"), [("outputs", OUTPUTS), ("scores", SCORES)])
def test_columns_and_types(run, name, columns):
    import pyarrow.parquet as pq

    schema = pq.read_schema(run / f"{name}.parquet")
    assert {field.name: str(field.type) for field in schema} == columns
    assert schema.names == list(columns)


def test_pandas_reads_what_was_imported(run):
    import pandas as pd

    scores = pd.read_parquet(run / "scores.parquet")
    outputs = pd.read_parquet(run / "outputs.parquet")
    made = rows()
    assert len(outputs) == len(made)
    assert len(scores) == 2 * len(made)
    quality = scores[scores.metric == "quality"]
    wanted = [row["scores"]["quality"] for row in made]
    assert [None if pd.isna(v) else v for v in quality.value] == wanted
    assert quality.reason.notna().tolist() == [v is None for v in wanted]
    first = outputs.iloc[0]
    assert first[["task", "sample_id", "variant"]].tolist() == ["default", "é0", "old"]
    assert json.loads(first.target) == ["t"]
    assert json.loads(first.metadata) == {"topic": "x"}
    assert (first.cluster, first.input, first.output, first.latency_s, first.cost) == (
        *("c1", "q", "o", 0.5, 2.0),
    )
    assert outputs.iloc[5][["cluster", "input", "latency_s"]].isna().all()


def test_the_manifest(run):
    manifest = json.loads((run / "run.json").read_text("utf-8"))
    assert set(manifest) == {
        *("schema_version", "kind", "harness_version", "suite", "created", "seed", "limit"),
        *("command", "fingerprint", "tasks", "variants", "rules", "training", "environment"),
        *("repeats", "not_measured", "timings", "warnings", "batches", "files"),
        "manifest_sha256",
    }
    assert (manifest["schema_version"], manifest["kind"]) == (1, "import")
    task = manifest["tasks"]["default"]
    unknown = {"definition": None, "higher_is_better": None, "version": None}
    assert task["n"] == 200
    assert task["metrics"]["quality"] == {**unknown, "low": 0.0, "high": 1.0, "binary": False}
    assert task["metrics"]["ok"] == {**unknown, "low": 0.0, "high": 1.0, "binary": True}
    assert list(manifest["variants"]) == ["old", "new"]
    assert manifest["variants"]["old"]["has_adapter"] is None
    assert (manifest["repeats"], manifest["not_measured"]) == (None, {})


def test_the_file_hashes(run):
    import hashlib

    files = json.loads((run / "run.json").read_text("utf-8"))["files"]
    assert set(files) == {"outputs.parquet", "scores.parquet"}
    for name, digest in files.items():
        assert hashlib.sha256((run / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("role", "margin", "code", "word"),
    [
        ("superior", 0.1, 0, "SHIP"),
        ("superior", 0.3, 1, "HOLD"),
        ("superior", 0.2, 3, "INCONCLUSIVE"),
        ("non_inferior", 0.01, 0, "SHIP"),
    ],
)
def test_a_verdict_its_keys_and_its_exit_code(run, tmp_path, role, margin, code, word):
    result = gate(run, tmp_path, role, margin)
    assert result.returncode == code, result.stdout + result.stderr
    verdict = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert list(verdict) == [
        *("schema_version", "verdict", "recommendation", "candidate", "rules", "warnings"),
    ]
    assert verdict["verdict"] == word
    assert word in result.stdout
    (row,) = verdict["rules"]
    assert list(row) == ROW_KEYS
    assert row["status"] == word
    assert (row["n"], row["n_unscored"], row["ci_level"]) == (199, 1, 0.9)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert (row["more_samples"] is not None) == (word == "INCONCLUSIVE")


def test_invalid_is_4(tmp_path):
    scores = write_jsonl(tmp_path / "s.jsonl", rows(n=20))
    assert harness("import", scores, "--out", tmp_path / "run").returncode == 0
    result = gate(tmp_path / "run", tmp_path, "superior", 0.0)
    assert result.returncode == 4
    (row,) = json.loads((tmp_path / "verdict.json").read_text("utf-8"))["rules"]
    assert row["status"] == "INVALID"
    assert "min_samples" in row["reason"]


def test_a_run_without_rules_is_4(run):
    result = harness("gate", run, "--json", "-")
    assert result.returncode == 4
    verdict = json.loads(result.stdout)
    assert (verdict["verdict"], verdict["recommendation"], verdict["rules"]) == (
        "INVALID",
        None,
        [],
    )


def test_wrong_usage_is_2(run, tmp_path):
    assert harness("gate", tmp_path / "no run").returncode == 2
    assert harness("gate", run, "--rules", tmp_path / "no rules").returncode == 2
    result = gate(run, tmp_path, "superior", 0.0, versus="odl")
    assert result.returncode == 2
    assert "Did you mean 'old'" in result.stderr
    result = gate(run, tmp_path, "superior", 2.0)
    assert result.returncode == 2
    assert "For 2 percent points write 0.02" in result.stderr


def test_compare_writes_the_same_rows_without_a_status(run):
    result = harness("compare", run, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert list(found) == [
        "schema_version",
        "rows",
        "attribution",
        "break_even",
        "agreement",
        "warnings",
    ]
    wanted = {*ROW_KEYS, "candidate"} - {"status"}
    assert all(set(row) == wanted for row in found["rows"])
    pairs = [(r["metric"], r["candidate"], r["versus"]) for r in found["rows"]]
    assert sorted(pairs) == sorted(
        (metric, a, b) for metric in ("quality", "ok") for a, b in (("old", "new"), ("new", "old"))
    )
    one, other = (r for r in found["rows"] if r["metric"] == "quality")
    assert (one["estimate"], one["ci_low"]) == (-other["estimate"], -other["ci_high"])
