"""``harness gate --attest``: a Statement that in-toto's readers take, about the right adapter.

The structure is asserted by hand from in-toto's specification (Statement v1, ResourceDescriptor
v1, test-result v0.1).
"""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from made_runs import joined, made_run

from harness.store.import_run import import_scores
from harness.store.runs import write_run

HEX = "0123456789abcdef"
RULES = """
candidate = "new"
[[rule]]
metric = "m"
role = "superior"
versus = "old"
margin = {margin}
[[rule]]
metric = "m"
role = "guardrail"
min = 0.99
advisory = true
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def measured(tmp_path: Path, weights: Path) -> Path:
    """A run of this harness that knows its adapter."""
    rng = random.Random(0)
    old = [rng.uniform(0, 0.4) for _ in range(60)]
    values = {"old": old, "new": [x + rng.uniform(0.2, 0.5) for x in old]}
    run = made_run(values, adapters=["new"])
    for name, entry in run.manifest["variants"].items():
        known = sha256(weights.read_bytes()) if name == "new" else None
        entry["fingerprints"] = {
            "weights_sha256": "a" * 64,
            "precision": "bf16",
            "adapter_file_sha256": known,
            "index_sha256": {"t": "b" * 64},
        }
        entry["recipe"] = {"precision": "bf16"}
    run.manifest["tasks"]["t"]["data_sha256"] = "c" * 64
    run.manifest["fingerprint"] = "d" * 64
    run.manifest["harness_version"] = "0.0.9"
    return write_run(tmp_path / "measured", run.manifest, run.outputs, run.scores)


@pytest.fixture
def imported(tmp_path: Path, measured: Path) -> Path:
    from harness.store.runs import read_run

    source = tmp_path / "s.jsonl"
    rows = read_run(measured).scores.to_pylist()
    source.write_text(
        "".join(
            json.dumps({k: r[k] for k in ("sample_id", "variant")} | {"scores": {"m": r["value"]}})
            + "\n"
            for r in rows
        )
    )
    return import_scores(source, tmp_path / "imported")[0]


def gate(harness_cli: Any, tmp_path: Path, run: Path, *more: Any, margin: float = 0.1) -> Any:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.format(margin=margin))
    out = tmp_path / "attestation.json"
    return harness_cli("gate", run, "--rules", rules, "--attest", out, *more)


def read(tmp_path: Path) -> dict[str, Any]:
    """The Statement, held to the specification."""
    found = json.loads((tmp_path / "attestation.json").read_bytes())
    assert set(found) == {"_type", "subject", "predicateType", "predicate"}
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = found["predicate"]
    tests = ["passedTests", "warnedTests", "failedTests"]
    assert set(predicate) == {"result", "configuration", *tests}
    assert predicate["result"] in {"PASSED", "WARNED", "FAILED"}
    names = [name for key in tests for name in predicate[key]]
    assert len(set(names)) == len(names)
    assert all(isinstance(name, str) for name in names)
    assert found["subject"]
    assert all("digest" in subject for subject in found["subject"])
    for descriptor in [*found["subject"], *predicate["configuration"]]:
        assert set(descriptor) <= {"name", "uri", "digest", "content", "annotations"}
        assert {"uri", "digest", "content"} & set(descriptor)
        assert isinstance(descriptor["name"], str)
        for algorithm, value in descriptor.get("digest", {}).items():
            assert algorithm == "sha256"
            assert len(value) == 64
            assert set(value) <= set(HEX)
        assert isinstance(descriptor.get("annotations", {}), dict)
    return dict(found)


def test_a_verdict_is_about_the_adapter_that_was_measured(
    tmp_path: Path, measured: Path, weights: Path, harness_cli: Any
) -> None:
    result = gate(harness_cli, tmp_path, measured)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Warning" not in result.stderr
    first = (tmp_path / "attestation.json").read_bytes()
    found = read(tmp_path)
    assert found["subject"] == [
        {"name": "adapter_model.safetensors", "digest": {"sha256": sha256(weights.read_bytes())}}
    ]
    predicate = found["predicate"]
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == ["verdict", "m superior task=t versus=old margin=0.1"]
    assert predicate["warnedTests"] == ["m guardrail task=t advisory"]
    assert predicate["failedTests"] == []
    configuration = {d["name"]: d for d in predicate["configuration"]}
    manifest = (measured / "run.json").read_bytes()
    assert configuration["run.json"]["digest"]["sha256"] == sha256(manifest)
    for name in ("outputs.parquet", "scores.parquet"):
        assert configuration[name]["digest"]["sha256"] == sha256((measured / name).read_bytes())
    assert configuration["fingerprint"]["digest"]["sha256"] == "d" * 64
    assert configuration["task/t/data"]["digest"]["sha256"] == "c" * 64
    assert configuration["variant/new/weights"]["digest"]["sha256"] == "a" * 64
    assert configuration["variant/old/index/t"]["digest"]["sha256"] == "b" * 64
    assert configuration["variant/new/adapter_file"] == {
        **found["subject"][0],
        "name": "variant/new/adapter_file",
    }
    assert "variant/old/adapter_file" not in configuration
    assert configuration["variant/new"]["annotations"]["recipe"] == {"precision": "bf16"}
    assert configuration["rules"]["annotations"]["rule"][0]["margin"] == 0.1
    assert configuration["measured by"]["uri"] == "pkg:pypi/shipworthy@0.0.9"
    gate(harness_cli, tmp_path, measured)
    assert (tmp_path / "attestation.json").read_bytes() == first


@pytest.mark.parametrize(
    ("margin", "code", "verdict"), [(0.6, 1, "HOLD"), (0.36, 3, "INCONCLUSIVE")]
)
def test_nothing_but_ship_passes(
    tmp_path: Path, measured: Path, harness_cli: Any, margin: float, code: int, verdict: str
) -> None:
    assert gate(harness_cli, tmp_path, measured, margin=margin).returncode == code
    predicate = read(tmp_path)["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["passedTests"] == []
    assert predicate["failedTests"][0] == "verdict"
    assert predicate["configuration"][0]["annotations"]["verdict"] == verdict


def test_a_run_that_was_changed_passes_no_test(
    tmp_path: Path, measured: Path, harness_cli: Any
) -> None:
    manifest = json.loads((measured / "run.json").read_text())
    (measured / "run.json").write_text(json.dumps({**manifest, "seed": 1}))
    assert gate(harness_cli, tmp_path, measured).returncode == 4
    predicate = read(tmp_path)["predicate"]
    assert (predicate["result"], predicate["passedTests"]) == ("FAILED", [])


def test_rows_of_one_name_pass_only_together(
    tmp_path: Path, measured: Path, harness_cli: Any
) -> None:
    rules = tmp_path / "two.toml"
    twice = "".join(
        f'[[rule]]\nmetric = "m"\nrole = "guardrail"\n{bound}\n' for bound in ("min=0.1", "max=0.2")
    )
    rules.write_text(f'candidate = "new"\n{twice}')
    out = tmp_path / "attestation.json"
    assert harness_cli("gate", measured, "--rules", rules, "--attest", out).returncode == 1
    predicate = read(tmp_path)["predicate"]
    assert predicate["passedTests"] == []
    assert predicate["failedTests"] == ["verdict", "m guardrail task=t"]


def test_an_imported_run_vouches_for_no_adapter_unless_one_is_named(
    tmp_path: Path, imported: Path, weights: Path, harness_cli: Any
) -> None:
    result = gate(harness_cli, tmp_path, imported)
    assert result.returncode == 0
    assert "the statement is about the run" in result.stderr
    assert "--attest-subject" in result.stderr
    (subject,) = read(tmp_path)["subject"]
    manifest = (imported / "run.json").read_bytes()
    assert subject == {"name": "run.json", "digest": {"sha256": sha256(manifest)}}

    result = gate(harness_cli, tmp_path, imported, "--attest-subject", weights)
    assert "Warning: The adapter" not in result.stderr
    (subject,) = read(tmp_path)["subject"]
    assert subject == {"name": weights.name, "digest": {"sha256": sha256(b"weights")}}


def test_another_adapter_than_the_measured_one_is_refused(
    tmp_path: Path, measured: Path, weights: Path, harness_cli: Any
) -> None:
    assert gate(harness_cli, tmp_path, measured, "--attest-subject", weights).returncode == 0
    weights.write_bytes(b"other weights")
    (tmp_path / "attestation.json").unlink()
    result = gate(harness_cli, tmp_path, measured, "--attest-subject", weights)
    assert result.returncode == 2
    assert "is not the adapter that this run measured" in result.stderr
    assert not (tmp_path / "attestation.json").exists()
    assert gate(harness_cli, tmp_path, measured, "--attest-subject", tmp_path).returncode == 2
    alone = harness_cli("gate", measured, "--attest-subject", weights)
    assert alone.returncode == 2
    assert "--attest" in alone.stderr


def test_a_candidate_without_an_adapter_is_no_adapter(
    tmp_path: Path, weights: Path, harness_cli: Any
) -> None:
    rng = random.Random(1)
    old = [rng.uniform(0, 0.4) for _ in range(60)]
    run = made_run({"old": old, "new": [x + rng.uniform(0.2, 0.5) for x in old]})
    folder = write_run(tmp_path / "prompts", run.manifest, run.outputs, run.scores)
    result = gate(harness_cli, tmp_path, folder)
    assert result.returncode == 0
    assert "'new' has none" in result.stderr
    assert read(tmp_path)["subject"][0]["name"] == "run.json"
    result = gate(harness_cli, tmp_path, folder, "--attest-subject", weights)
    assert result.returncode == 2
    assert "has no adapter" in result.stderr


def test_every_task_is_named(tmp_path: Path, harness_cli: Any) -> None:
    rng = random.Random(2)
    runs = []
    for task in ("t", "u"):
        old = [rng.uniform(0, 0.4) for _ in range(60)]
        runs.append(
            made_run({"old": old, "new": [x + rng.uniform(0.2, 0.5) for x in old]}, task=task)
        )
    run = joined(*runs)
    folder = write_run(tmp_path / "two", run.manifest, run.outputs, run.scores)
    gate(harness_cli, tmp_path, folder)
    assert read(tmp_path)["predicate"]["passedTests"][1:] == [
        "m superior task=t versus=old margin=0.1",
        "m superior task=u versus=old margin=0.1",
    ]
