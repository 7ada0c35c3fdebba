"""What is wrong is said before the first model is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import DataError, RunError, SuiteError
from harness.pipeline import Settings, run, train
from harness.types import Data, Generation, Sample, Suite, Task, Variant

BASE = Variant("base", "hf:nobody/nothing")


def suite(*variants: Variant, data=None) -> Suite:
    data = data or Data(eval=(Sample("a", "q", ("b",)),))
    return Suite("mine", [Task("t", data, ["exact_match"])], variants or [BASE])


def unread(seed: int) -> Data:
    raise AssertionError("the data were made before the place was looked at")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_out_that_is_there(here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "file").touch()
    with pytest.raises(RunError, match="exists already"):
        run(suite(data=unread), Settings(out=Path("out")))
    with pytest.raises(RunError, match="exists already"):
        run(suite(data=unread), Settings(out=Path("out/file")))


@pytest.mark.parametrize("out", ["file/below/run", None])
def test_a_place_that_cannot_be_written(here: Path, out: str | None) -> None:
    (here / "file").touch()
    (here / "runs").touch()
    with pytest.raises(RunError, match="--out"):
        run(suite(data=unread), Settings(out=None if out is None else Path(out)))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that hold")
def test_a_folder_without_permission(here: Path) -> None:
    here.chmod(0o555)
    try:
        with pytest.raises(RunError, match="permissions"):
            run(suite(data=unread), Settings())
    finally:
        here.chmod(0o755)


def test_looking_at_a_place_leaves_nothing_there(here: Path) -> None:
    with pytest.raises(DataError):
        run(suite(data=Data(eval=())), Settings(out=Path("new/folder/run")))
    assert list(here.iterdir()) == []


def test_names_and_repeats(here: Path) -> None:
    with pytest.raises(SuiteError, match="Did you mean 'base'"):
        run(suite(data=unread), Settings(variants=["bas"]))
    twice = [replace(BASE, name=f"v{k}", generation=Generation(0.5, repeats=k)) for k in (2, 3)]
    with pytest.raises(SuiteError, match="different repeats"):
        run(suite(*twice, data=unread), Settings())
    with pytest.raises(SuiteError, match="nothing to train"):
        train(suite(), Settings())


def test_mistakes_in_the_data_are_said_without_torch() -> None:
    code = (
        "import sys\nfrom harness import *\nfrom harness.errors import DataError\n"
        "from harness.pipeline import Settings, run\n"
        "task = Task('t', Data(eval=(Sample('a', 'q', targets='banana'),)), ['exact_match'])\n"
        "try: run(Suite('s', [task], [Variant('v', 'hf:a/b')]), Settings())\n"
        "except DataError as error: print(error)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "banana" in done.stdout
    assert done.stdout.endswith("False\n")
