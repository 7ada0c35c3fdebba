"""The scripts that the action calls, in a real repository; only measuring is stood in for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from ci_runs import write

SCRIPTS = Path(__file__).parent.parent.parent / "ci"
pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("git")), reason="needs bash and git"
)


def git(folder: Path, *args: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def script(name: str, folder: Path, **env: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Runs it; returns what came of it, and what it wrote as outputs."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    harness = tools / "harness"
    if not harness.exists():
        harness.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n', "utf-8")
        harness.chmod(0o755)
    output = folder / "output"
    output.write_text("", "utf-8")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "INPUT_"))}
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(SCRIPTS / name)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "PATH": path, "GITHUB_OUTPUT": str(output), **env},
    )
    return done, output.read_text("utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on a branch that has blessed something of its own."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    write(origin / "baselines" / "desk" / "run", gain=0.5)
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "blessed")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "-qb", "change")
    shutil.rmtree(clone / "baselines" / "desk" / "run")
    write(clone / "baselines" / "desk" / "run", gain=-0.2)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "lowers the bar")
    return clone


def test_the_baseline_is_the_base_branch_s(clone: Path, tmp_path: Path) -> None:
    env = {"INPUT_SUITE": "suites/desk", "RUNNER_TEMP": str(tmp_path)}
    done, output = script("baseline.sh", clone, GITHUB_BASE_REF="main", **env)
    assert done.returncode == 0, done.stderr
    found = Path(output.strip().removeprefix("baseline="))
    blessed = tmp_path / "origin" / "baselines" / "desk" / "run" / "scores.parquet"
    own = clone / "baselines" / "desk" / "run" / "scores.parquet"
    assert (found / "scores.parquet").read_bytes() == blessed.read_bytes()
    assert (found / "scores.parquet").read_bytes() != own.read_bytes()
    # No pull request: the branch's own.
    _, output = script("baseline.sh", clone, **env)
    assert output == "baseline=baselines/desk/run\n"


def test_a_base_without_a_baseline_is_told(clone: Path) -> None:
    done, output = script("baseline.sh", clone, GITHUB_BASE_REF="main", INPUT_SUITE="suites/other")
    assert (done.returncode, output) == (0, "")
    assert "no blessed run" in done.stdout
    done, output = script("baseline.sh", clone, INPUT_BASELINE="none", INPUT_SUITE="suites/desk")
    assert (done.returncode, output) == (0, "")
    done, _ = script("baseline.sh", clone, INPUT_BASELINE="nowhere")
    assert done.returncode == 2


@pytest.mark.parametrize(("gain", "code"), [(0.3, 0), (-0.2, 1)])
def test_a_stored_run_is_gated_and_its_exit_code_kept(
    tmp_path: Path, gain: float, code: int
) -> None:
    write(tmp_path / "run", gain=gain)
    done, output = script("measure.sh", tmp_path, INPUT_RUN="run")
    assert done.returncode == 0, done.stderr
    assert output == "run=run\n"
    assert (tmp_path / "reports" / "desk" / "index.html").is_file()
    gated, output = script(
        "gate.sh", tmp_path, RUN_FOLDER="run", GITHUB_ACTIONS="true", INPUT_COMMENT="true"
    )
    assert gated.returncode == code, gated.stderr
    assert f"exit-code={code}\n" in output
    assert (tmp_path / "reports" / "harness.xml").is_file()


def test_a_drop_without_a_baseline_does_not_pass(tmp_path: Path) -> None:
    write(tmp_path / "run")
    done, _ = script("gate.sh", tmp_path, RUN_FOLDER="run", INPUT_MAX_DROP="0.05")
    assert done.returncode == 2
    assert "no baseline" in done.stdout


@pytest.mark.parametrize(("code", "kept"), [(0, 0), (4, 0), (2, 2), (70, 70)])
def test_only_a_verdict_lets_the_job_go_on(tmp_path: Path, code: int, kept: int) -> None:
    """`harness run` is stood in for: it says what it was called with, and exits."""
    (tmp_path / "tools").mkdir()
    stand_in = tmp_path / "tools" / "harness"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s|" "$@"\nexit {code}\n', "utf-8")
    stand_in.chmod(0o755)
    done, output = script(
        "measure.sh",
        tmp_path,
        INPUT_SUITE="suites/desk",
        INPUT_ARGS="--limit 20; touch hacked $(touch hacked)",
        GITHUB_RUN_ID="9",
    )
    assert done.returncode == kept
    assert output == ("run=runs/ci/9-1\n" if kept == 0 else "")
    assert done.stdout.startswith("run|suites/desk|--out|runs/ci/9-1|--report-only|--limit|20;|")
    assert not (tmp_path / "hacked").exists()


def test_neither_suite_nor_run_is_a_mistake(tmp_path: Path) -> None:
    done, _ = script("measure.sh", tmp_path)
    assert done.returncode == 2
