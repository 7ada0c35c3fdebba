"""A run as other tools take it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run, non_inferior, rules, superior

from harness import exports
from harness.errors import UsageError
from harness.rules import rules_to_dict
from harness.store.runs import read_run, write_run

VALUES = {"old": [0.1, None, 0.3] * 20, "new": [0.6, 0.7, 0.8] * 20}


def write(folder: Path, **manifest: Any) -> Path:
    run = made_run(VALUES, task="triage")
    run.manifest.update(suite="desk", fingerprint="f" * 64, harness_version="0.1.0")
    run.manifest["variants"]["new"]["recipe"] = {"model": "m", "adapter": {"lora_r": 16}}
    run.manifest["tasks"]["triage"]["data_sha256"] = "d" * 64
    run.manifest["rules"] = rules_to_dict(rules("new", superior("old", 0.1)))
    run.manifest.update(manifest)
    return write_run(folder, run.manifest, run.outputs, run.scores)


def test_a_data_frame_has_a_row_a_sample_and_variant(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = exports.to_pandas(read_run(write(tmp_path / "run")))
    assert len(frame) == 120
    means = frame.groupby("variant")["score_m"].mean()
    assert means["new"] == pytest.approx(0.7)
    assert means["old"] == pytest.approx(0.2)
    assert frame["score_m"].isna().sum() == 20


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_hold_the_same(tmp_path: Path, harness_cli: Any, kind: str) -> None:
    run = write(tmp_path / "run")
    done = harness_cli("export", run, "--format", kind, "--out", "out/all", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] == "out/all"
    import pyarrow.csv
    import pyarrow.parquet

    read = pyarrow.csv.read_csv if kind == "csv" else pyarrow.parquet.read_table
    table = read(tmp_path / "out" / "all")
    assert table.num_rows == 120
    assert table["score_m"].null_count == 20
    assert table["variant"][0].as_py() == "new"


def test_a_model_card_takes_the_model_index(tmp_path: Path, harness_cli: Any) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the extra 'local' is not installed")
    import yaml

    run = write(tmp_path / "run")
    done = harness_cli("export", run, "--format", "model-index", "--out", "m.yml", "--name", "me/x")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "m.yml").read_text("utf-8")
    card = hub.ModelCardData(**yaml.safe_load(text))
    results = {r.metric_type: r for r in card.eval_results}
    assert results["m"].metric_value == pytest.approx(0.7)
    assert results["m"].dataset_name == "triage"
    assert results["m"].dataset_revision == "d" * 64
    assert "n = 60" in str(results["m"].metric_name)
    assert card.model_name == "me/x"


def test_what_cannot_be_exported_is_told(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "run", rules=None)
    for args, said in (
        (["--format", "csv"], "needs --out"),
        (["--format", "model-index", "--out", "x"], "say --variant"),
        (["--format", "model-index", "--out", "x", "--variant", "nw"], "Did you mean 'new'?"),
        (["--format", "csv", "--out", "x", "--variant", "new"], "--variant goes with"),
        (["--format", "mlflow", "--out", "x"], "--out is for files"),
        (["--format", "excel"], "excel"),
    ):
        done = harness_cli("export", run, *args)
        assert done.returncode == 2, args
        assert said in done.stderr
    with pytest.raises(UsageError, match="no variant 'x'"):
        exports.model_index(read_run(run), "x", "name")


def test_without_the_tracker_the_command_is_told(tmp_path: Path, harness_cli: Any) -> None:
    """A module of that name that cannot be imported stands for one that is not there."""
    (tmp_path / "hidden").mkdir()
    for name in ("mlflow", "wandb"):
        (tmp_path / "hidden" / f"{name}.py").write_text("raise ImportError('no')\n", "utf-8")
    path = os.pathsep.join(p for p in (str(tmp_path / "hidden"), os.environ.get("PYTHONPATH")) if p)
    run = write(tmp_path / "run")
    for name in ("mlflow", "wandb"):
        done = harness_cli("export", run, "--format", name, env={"PYTHONPATH": path})
        assert done.returncode == 2
        assert f"shipworthy[{name}]" in done.stderr


def test_mlflow_has_a_run_a_variant(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")
    run = write(tmp_path / "run")
    code = f"""
from pathlib import Path
import mlflow
from harness import exports, gate
from harness.store.runs import read_run
mlflow.set_tracking_uri("file://{tmp_path}/mlruns")
run = read_run(Path({str(run)!r}))
exports.to_mlflow(run, gate.decide(run), "desk")
client = mlflow.MlflowClient()
(experiment,) = client.search_experiments(filter_string="name = 'desk'")
found = {{r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}}
print(sorted(found))
print(found["new"].data.metrics["triage/m"], found["new"].data.params["adapter.lora_r"])
print(found["desk-ffffffffffff"].data.tags["harness.verdict"])
"""
    env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "['desk-ffffffffffff', 'new', 'old']"
    assert float(lines[1].split()[0]) == pytest.approx(0.7)
    assert lines[1].split()[1] == "16"
    assert lines[2] == "INVALID"  # a third of the old values is unscored


def test_wandb_offline_has_a_run_a_variant(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra 'wandb' is not installed")
    run = write(tmp_path / "run")
    env = {
        **os.environ,
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
        "WANDB_SILENT": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", "export", str(run), "--format", "wandb"],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2


def test_the_verdict_on_another_candidate_is_not_needed(tmp_path: Path) -> None:
    held = rules_to_dict(rules("old", non_inferior("new", 0.1)))
    run = read_run(write(tmp_path / "run", rules=held))
    assert "value: 0.7" in exports.model_index(run, "new", "x")
