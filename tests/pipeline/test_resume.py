"""What was answered is not asked again: after kill -9, on a full disk, in two processes at once."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from scripted import Scripted, an_adapter, at_work, suite

from harness.pipeline.measuring import whole
from harness.pipeline.session import Settings
from harness.store.runs import Run, read_run
from harness.types import Data, Generation

SUITE = """
from dataclasses import replace
from scripted import SUPERIOR, rules, suite as made
suite = made({"zero": "5", "half": "50"}, rules("half", SUPERIOR), n=300)
suite = replace(suite, variants=[replace(v, model="hf:nobody/nothing") for v in suite.variants])
"""
N = 600
STUB = Path(__file__).with_name("stub_run.py")

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and mounts")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "suite.py").write_text(SUITE, "utf-8")
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def start(project: Path, out: str = "run") -> subprocess.Popen[str]:
    command = [sys.executable, str(STUB), "run", "suite.py", "--device", "cpu", "--out", out]
    return subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True)


def finish(project: Path, out: str = "run") -> str:
    process = start(project, out)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return stderr


def stored(project: Path) -> int:
    path = project / "cache" / "responses.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the table is not there yet


def tables(run: Path) -> tuple[pa.Table, pa.Table]:
    """Of a run, without the only column that two runs differ in."""
    made = read_run(run)
    return made.outputs.drop_columns(["latency_s"]), made.scores


def uninterrupted(project: Path) -> tuple[pa.Table, pa.Table]:
    assert "answers (0 known)" in finish(project, "whole")
    made = tables(project / "whole")
    for file in (project / "cache").glob("responses*"):
        file.unlink()
    return made


@posix
def test_a_run_that_is_killed_again_and_again_is_the_uninterrupted_one(project: Path) -> None:
    expected = uninterrupted(project)
    rng, kills, before = random.Random(0), 0, 0
    for _ in range(20):
        process = start(project)
        # Somewhere in what it adds; not at a time, as a machine may be slow.
        goal = before + rng.randrange(1, 150)
        while process.poll() is None and stored(project) < goal:
            time.sleep(0.002)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        now = stored(project)
        assert now >= goal, "what was on disk stays there"
        assert not (project / "run").exists(), "no half run is left"
        before = now
        if before > N - 160:
            break
    assert kills >= 3
    rest = finish(project)
    known = re.search(r"answers \((\d+) known\)", rest)
    assert (int(known[1]) if known else N) == before, "what is stored is known"
    assert all(a.equals(b) for a, b in zip(tables(project / "run"), expected, strict=True))
    assert f"all {N} known" in finish(project, "again")
    verify = subprocess.run(
        [sys.executable, "-m", "harness", "cache", "verify"], capture_output=True, text=True
    )
    assert verify.returncode == 0, verify.stdout
    assert f"read    {N} responses" in verify.stdout


@posix
def test_two_runs_at_once_share_a_cache(project: Path) -> None:
    expected = uninterrupted(project)
    two = [start(project, out) for out in ("one", "two")]
    for process in two:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    assert stored(project) == N
    one, other = (read_run(project / name).outputs for name in ("one", "two"))
    assert all(a.equals(b) for a, b in zip(tables(project / "one"), expected, strict=True))
    # The first answer counts for both, its seconds included.
    assert one.equals(other)


@pytest.fixture
def mounted(project: Path) -> Iterator[Path]:
    """The cache folder as a small disk of its own."""
    folder = project / "cache"
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    options = ["-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_gets_full_is_told_and_nothing_is_lost(mounted: Path, project: Path) -> None:
    process = start(project)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2, stderr
    assert "Free some space" in stderr
    assert "Traceback" not in stderr
    assert "defect" not in stderr
    kept = stored(project)
    assert 0 < kept < N
    assert not (project / "run").exists()
    subprocess.run(["mount", "-o", "remount,size=50m", str(mounted)], check=True)
    assert f"answers ({kept} known)" in finish(project)
    assert f"all {N} known" in finish(project, "again")


def test_a_cache_folder_that_cannot_be_written_is_told(mounted: Path, project: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    process = start(project)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2, stderr
    assert "HARNESS_CACHE" in stderr
    assert str(mounted) in stderr
    assert "Traceback" not in stderr


# ---- what a change makes again


def measured(tmp_path: Path, made) -> tuple[Run, list[tuple[str, str, str | None]]]:
    engine = Scripted(tmp_path)
    with at_work(made, Settings(), engine, tmp_path) as work:
        return whole(work, made.variants, []), engine.asked


def variant(made, name: str, **changes):
    return replace(
        made, variants=[replace(v, **changes) if v.name == name else v for v in made.variants]
    )


def task(made, **changes):
    return replace(made, tasks=[replace(t, **changes) for t in made.tasks])


def test_a_change_makes_again_what_it_is_about_and_nothing_else(tmp_path: Path) -> None:
    adapter = an_adapter(tmp_path / "a")
    made = suite({"zero": "5", "half": "50", "adapter": "5"}, None, n=40, adapter=adapter)
    run, asked = measured(tmp_path, made)
    assert len(asked) == 3 * 40
    again, nothing = measured(tmp_path, made)
    assert nothing == []
    assert again.outputs.equals(run.outputs), "to the last second"

    (one,) = made.tasks
    samples = list(one.data.eval)
    samples[3] = replace(samples[3], input="77")
    _, asked = measured(tmp_path, task(made, data=Data(tuple(samples))))
    assert len(asked) == 3
    folder = str(tmp_path / "a")
    assert set(asked) == {("5", "77", None), ("5", "77", folder), ("50", "77", None)}
    _, asked = measured(tmp_path, variant(made, "half", system="60"))
    assert [(system, a) for system, _, a in asked] == [("60", None)] * 40
    _, asked = measured(tmp_path, task(made, max_new_tokens=7))
    assert len(asked) == 3 * 40
    _, asked = measured(tmp_path, variant(made, "zero", generation=Generation(0.5, seed=1)))
    assert [(system, a) for system, _, a in asked] == [("5", None)] * 40
    _, asked = measured(tmp_path, variant(made, "zero", generation=Generation(0.5, seed=2)))
    assert len(asked) == 40
    (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"other weights")
    _, asked = measured(tmp_path, made)
    assert [a for _, _, a in asked] == [folder] * 40
    # Targets, metadata and scorers are no part of the question.
    renamed = tuple(replace(s, targets=("no",), metadata={"a": 1}) for s in one.data.eval)
    _, asked = measured(tmp_path, task(made, data=Data(renamed), scorers=["f1"], version="2"))
    assert asked == []
