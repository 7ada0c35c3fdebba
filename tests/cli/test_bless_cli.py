"""``harness bless``: what is blessed is the run itself, told in a text that diffs well."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run, non_inferior, rules, superior

from harness.rules import rules_to_dict
from harness.store.import_run import import_scores
from harness.store.runs import read_run, write_run


def write(folder: Path, gain: float = 0.3, *, n: int = 60, seed: int = 0, **manifest: Any) -> Path:
    rng = random.Random(seed)
    old: list[float | None] = [round(rng.uniform(0, 0.4), 3) for _ in range(n)]
    new = [None if x is None else round(x + gain + rng.uniform(0, 0.1), 3) for x in old]
    new[7] = None
    run = made_run({"old": old, "new": new}, tokens_out=[3] * n, latency_s=[seed + 0.5] * n)
    run.manifest.update(suite="desk", fingerprint="f" * 64, harness_version="0.1.0")
    run.manifest["rules"] = rules_to_dict(rules("new", superior("old", margin=0.1)))
    run.manifest.update(manifest)
    return write_run(folder, run.manifest, run.outputs, run.scores, replace=True)


def test_a_run_is_blessed_and_replaced(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "runs" / "a")
    first = harness_cli("bless", run)
    assert first.returncode == 0, first.stderr
    place = tmp_path / "baselines" / "desk"
    assert sorted(p.name for p in place.iterdir()) == ["run", "summary.md"]
    for file in run.iterdir():
        assert (place / "run" / file.name).read_bytes() == file.read_bytes()
    text = (place / "summary.md").read_text("utf-8").splitlines()
    assert "- verdict: SHIP" in text
    assert "- candidate: new" in text
    assert "- run: ffffffffffff" in text
    values = [v for v in read_run(run).scores["value"].to_pylist()[60:] if v is not None]
    (row,) = (line for line in text if line.startswith("| t | m | new |"))
    assert f"| {sum(values) / 59:.4g} |" in row
    assert row.endswith("| 59 | 1 |")
    assert not any("latency" in line for line in text)

    again = harness_cli("bless", write(tmp_path / "runs" / "b", seed=1))
    assert "No mean changed." not in again.stdout
    changed = [line for line in again.stdout.splitlines() if "->" in line]
    assert [line.split(":")[0] for line in changed] == ["t m new", "t m old"]
    other = (place / "summary.md").read_text("utf-8").splitlines()
    # Only the two means that moved: another machine's seconds make no diff.
    assert sum(a != b for a, b in zip(text, other, strict=True)) == 2
    assert sorted(p.name for p in place.iterdir()) == ["run", "summary.md"]
    assert "No mean changed." in harness_cli("bless", "baselines/desk/run").stdout


def test_later_runs_are_compared_with_it(tmp_path: Path, harness_cli: Any) -> None:
    harness_cli("bless", write(tmp_path / "runs" / "a"))
    later = write(tmp_path / "runs" / "later", gain=0.5)
    out = tmp_path / "c.json"
    result = harness_cli("compare", "baselines/desk/run", later, "--json", out)
    assert result.returncode == 0, result.stderr
    pairs = {(r["candidate"], r["versus"]) for r in json.loads(out.read_text())["rows"]}
    assert ("later/new", "run/new") in pairs


def test_an_invalid_run_needs_force_and_says_so(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "few", n=20)
    refused = harness_cli("bless", run)
    assert refused.returncode == 4
    assert "INVALID" in refused.stderr
    assert "'min_samples' is 30" in refused.stderr
    assert not (tmp_path / "baselines").exists()
    assert harness_cli("bless", run, "--force").returncode == 0
    assert "- verdict: INVALID" in (tmp_path / "baselines/desk/summary.md").read_text("utf-8")


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_changed_run_is_never_blessed(tmp_path: Path, harness_cli: Any, force: list[str]) -> None:
    run = write(tmp_path / "run")
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "seed": 3}))
    result = harness_cli("bless", run, *force)
    assert result.returncode == 4
    assert "run.json changed after the run was written" in result.stderr
    assert not (tmp_path / "baselines").exists()


def test_a_run_that_holds_or_is_open_is_blessed(tmp_path: Path, harness_cli: Any) -> None:
    held = rules_to_dict(rules("old", non_inferior("new", margin=0.1)))
    assert harness_cli("bless", write(tmp_path / "run", rules=held)).returncode == 0
    assert "- verdict: HOLD" in (tmp_path / "baselines/desk/summary.md").read_text("utf-8")


def test_an_imported_run_needs_a_name(tmp_path: Path, harness_cli: Any) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text('{"sample_id": "1", "variant": "a|b", "scores": {"m": 0.5, "n": null}}\n')
    run = import_scores(source, tmp_path / "run")[0]
    refused = harness_cli("bless", run)
    assert refused.returncode == 2
    assert "--name" in refused.stderr
    for name in ("a/b", "a\\b", "..", ""):
        result = harness_cli("bless", run, "--name", name)
        assert result.returncode == 2
        assert "must be a name" in result.stderr
    assert not (tmp_path / "baselines").exists()
    assert harness_cli("bless", run, "--name", "mine").returncode == 0
    text = (tmp_path / "baselines/mine/summary.md").read_text("utf-8")
    assert "- verdict: none" in text
    assert "| default | m | a\\|b | 0.5 | - | 1 | 0 |" in text
    assert "| default | n | a\\|b | - | - | 0 | 1 |" in text


def test_an_edited_baseline_is_told_of(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "run")
    harness_cli("bless", run)
    blessed = tmp_path / "baselines" / "desk" / "run" / "run.json"
    manifest = json.loads(blessed.read_text())
    blessed.write_text(json.dumps({**manifest, "seed": 3}))
    result = harness_cli("bless", run)
    assert result.returncode == 0
    assert "was edited: run.json" in result.stdout
    blessed.write_text("{")
    assert "cannot be compared with" in harness_cli("bless", run).stdout
    assert read_run(blessed.parent).tampered == ()
