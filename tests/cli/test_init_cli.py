"""``harness init``: what it writes can be run as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.pipeline.checks import refuse_overlap
from harness.pipeline.inputs import load
from harness.suites import load_suite


def test_a_project_is_written_and_its_suite_loads(tmp_path: Path, harness_cli: Any) -> None:
    done = harness_cli("init", "new", "--name", "triage")
    assert done.returncode == 0, done.stderr
    assert "next:  cd new && harness run suites/triage" in done.stdout
    suite = load_suite(tmp_path / "new" / "suites" / "triage")
    assert [v.name for v in suite.variants] == ["zero_shot", "few_shot", "adapter"]
    assert suite.rules is not None
    assert suite.rules.candidate == "adapter"
    (one,) = load(suite, suite.variants, seed=0, limit=None)
    refuse_overlap("triage", one.data, "the test says so")
    clusters = {sample.cluster for sample in one.data.eval}
    assert (len(one.data.eval), len(clusters), len(one.data.train)) == (160, 32, 80)
    assert not clusters & {sample.cluster for sample in one.data.train}
    # A workflow gates it, and what is generated is ignored.
    workflow = (tmp_path / "new/.github/workflows/harness.yml").read_text("utf-8")
    assert "harness ci runs/triage/latest" in workflow
    assert "{{" not in workflow.replace("${{", "")
    assert "runs/" in (tmp_path / "new/.gitignore").read_text("utf-8")


def test_nothing_is_replaced(tmp_path: Path, harness_cli: Any) -> None:
    (tmp_path / "README.md").write_text("mine", "utf-8")
    first = harness_cli("init", "--name", "a", "--json")
    made = json.loads(first.stdout)
    assert made["suite"] == "a"
    assert made["kept"] == ["README.md"]
    assert (tmp_path / "README.md").read_text("utf-8") == "mine"
    again = harness_cli("init", "--name", "a")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    # A second suite shares the baselines.
    second = json.loads(harness_cli("init", "--name", "b", "--json").stdout)
    assert "suites/b/suite.py" in second["written"]
    assert "baselines/zero_shot/recipe.toml" in second["kept"]


def test_what_can_be_guessed_is_not_asked(tmp_path: Path, harness_cli: Any) -> None:
    folder = tmp_path / "My Desk"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text('[remote "origin"]\n url = git@gitlab.com:a/b', "utf-8")
    made = json.loads(harness_cli("init", folder, "--json").stdout)
    assert (made["suite"], made["ci"]) == ("my_desk", "gitlab")
    assert ".gitlab-ci.yml" in made["written"]
    none = json.loads(harness_cli("init", folder, "--name", "x", "--ci", "none", "--json").stdout)
    assert not [path for path in none["written"] if "yml" in path]


def test_a_name_that_is_none_is_refused(harness_cli: Any) -> None:
    refused = harness_cli("init", "new", "--name", "a/b")
    assert refused.returncode == 2
    assert "must be a name" in refused.stderr


def test_pytest_collects_it(tmp_path: Path, harness_cli: Any) -> None:
    harness_cli("init", "--name", "triage")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites", "--collect-only", "-q"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "suite.py::triage::triage::exact_match superior to best by 0.02" in done.stdout


@pytest.mark.model
def test_the_project_runs_at_once(tmp_path: Path, harness_cli: Any) -> None:
    harness_cli("init", "--name", "triage")
    args = ("--variant", "zero_shot", "--limit", "4", "--report-only")
    done = harness_cli("run", "suites/triage", *args)
    # Of one variant and four samples nothing can be said: INVALID, and a run that holds answers.
    assert done.returncode == 4, done.stderr
    assert (tmp_path / "runs" / "triage" / "latest" / "run.json").is_file()
