"""0 to 4 are only ever deliberate, whatever the code below a command does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
from harness import Data, Sample, Suite, Task, Variant
def data(seed):
    {fails}
suite = Suite("s", [Task("t", data, ["exact_match"])], [Variant("v", "hf:nobody/nothing")])
"""


@pytest.mark.parametrize("status", ["", "0", "1", "3"])
def test_a_command_that_leaves_the_process_exits_70(status: str) -> None:
    code = (
        "import sys\nimport harness.gate\nfrom harness.cli import main\n"
        f"harness.gate.decide = lambda *a, **k: sys.exit({status})\n"
        "import harness.store.runs as runs\nruns.read_run = lambda *a, **k: None\n"
        "main(['gate', 'anything'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 70, done.stderr
    assert "SystemExit" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["gate", "--help"]])
def test_help_exits_0(harness_cli, arguments: list[str]) -> None:
    assert harness_cli(*arguments).returncode == 0


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        ("import sys; sys.exit()", "SystemExit"),
        ("import pytest; pytest.skip('not here')", "Skipped: not here"),
        ("return {}['colour']", "KeyError: 'colour'"),
    ],
)
def test_a_data_function_that_fails_exits_2(
    tmp_path: Path, harness_cli, fails: str, says: str
) -> None:
    (tmp_path / "suite.py").write_text(SUITE.format(fails=fails), "utf-8")
    done = harness_cli("run", "suite.py")
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "in data" in done.stderr
    assert "defect of the harness" not in done.stderr
