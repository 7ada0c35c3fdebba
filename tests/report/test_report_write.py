"""From a run folder to a file, through the gate and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import report_runs as runs
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import RulesError, RunError, UsageError
from harness.report import default_path, write_report
from harness.store.runs import Run, read_run, write_run

RULES = """
candidate = "b"
[[rule]]
metric = "loss"
role = "superior"
versus = "a"
margin = 0.1
direction = "lower"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = runs.whole_run(40)
    return write_run(tmp_path / "run", run.manifest, run.outputs, run.scores)


def test_the_report_says_what_the_gate_says(folder: Path, tmp_path: Path) -> None:
    from harness import gate

    out = write_report(folder, tmp_path / "deep" / "er" / "report.html")
    verdict = gate.decide(read_run(folder))
    page = out.read_text("utf-8")
    assert f"<title>{verdict.status.value} · contracts</title>" in page
    assert len(verdict.rules) == page.count('<li class="row rule">')
    assert (verdict.recommendation or "none") in page


def test_the_same_folder_gives_the_same_bytes_and_is_left_alone(
    folder: Path, tmp_path: Path
) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    first = write_report(folder, tmp_path / "1.html").read_bytes()
    assert write_report(read_run(folder), tmp_path / "2.html").read_bytes() == first
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.html", "2.html", "run"]


def test_lower_is_better_where_the_rules_say_so(tmp_path: Path) -> None:
    scores = [
        {"task": "t", "sample_id": str(i), "variant": v, "metric": "loss", "value": x + i % 7 / 50}
        for i in range(60)
        for v, x in (("a", 0.9), ("b", 0.5 + i % 5 / 50))
    ]
    metric = {"definition": None, "higher_is_better": None, "low": 0.0, "high": 1.02}
    about = {"has_adapter": None, "has_retriever": None, "recipe": {}}
    tasks = {"t": {"n": 60, "metrics": {"loss": metric}}}
    manifest = {"kind": "import", "tasks": tasks, "variants": dict.fromkeys("ab", about)}
    folder = write_run(
        tmp_path / "run",
        manifest,
        runs.outputs_table(map(runs.key, scores)),
        runs.scores_table(scores),
    )
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    out = tmp_path / "out.html"
    done = CliRunner().invoke(
        cli, ["report", str(folder), "--rules", str(rules), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    page = out.read_text("utf-8")
    assert "<title>SHIP" in page
    assert '<span class="word better">better</span>' in page
    assert "↓ lower" in page


def test_rules_that_do_not_fit_the_run_are_refused(folder: Path, tmp_path: Path) -> None:
    rules = runs.rule_set()
    from dataclasses import replace

    with pytest.raises(RulesError, match="hibrid"):
        write_report(folder, tmp_path / "r.html", rules=replace(rules, candidate="hibrid"))


def test_a_run_folder_is_never_written_to(folder: Path) -> None:
    with pytest.raises(UsageError, match="never changed"):
        write_report(folder, folder / "report.html")


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        write_report(tmp_path / "nothing", tmp_path / "r.html")


def test_a_place_that_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(folder, tmp_path / "file" / "r.html")


def test_a_changed_folder_is_invalid_and_shown(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "run.json").read_text())
    manifest["files"]["scores.parquet"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(manifest))
    page = write_report(folder, tmp_path / "r.html").read_text("utf-8")
    assert "<title>INVALID" in page
    assert "✗ changed since it was written" in page


@pytest.mark.parametrize(
    ("suite", "want"),
    [("desk", "desk"), ("../../etc", "etc"), ("a/b 🛳️", "a-b"), ("..", "run"), (None, "imported")],
)
def test_the_default_place_is_inside_reports(suite: str | None, want: str) -> None:
    run = Run(None, {"suite": suite, "tasks": {}, "variants": {}}, None, None)
    assert default_path(run) == Path("reports", want, "index.html")


def test_a_report_starts_without_what_is_slow_to_load(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from harness.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "slow = {'torch', 'transformers', 'scipy.stats', 'statsmodels', 'pandas'}\n"
        "slow &= set(sys.modules)\n"
        "assert not slow, slow"
    )
    out = tmp_path / "r.html"
    done = subprocess.run(
        [sys.executable, "-c", code, "report", str(folder), "--out", str(out)],
        capture_output=True,
        text=True,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    assert out.stat().st_size > 10_000
