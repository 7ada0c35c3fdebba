"""A real model on a real server as the judge: ``transformers serve`` with the small one. It judges
badly, and that is what its calibration must say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")
pytest.importorskip("openai", reason="the extra 'server' is not installed")
pytest.importorskip("fastapi", reason="transformers[serving] is not installed")

from real_servers import free_port, started

from harness.judging import JudgeModel, rubric
from harness.judging.panel import Panel
from harness.judging.prompt import Case
from harness.judging.verdicts import scores

from test_panel import Notes  # isort: skip

pytestmark = pytest.mark.model
Run = Callable[..., CompletedProcess[str]]

SUITE = """
from harness import Data, JudgeModel, Sample, Server, Suite, Task, Variant
from harness.scorers import Judge

critic = JudgeModel("MODEL", "URL", max_tokens=40)
suite = Suite(
    "small",
    [Task("t", Data((Sample("s", "What is 2+2?", ("4",)),)), [Judge("accuracy", critic)])],
    [Variant("base", "MODEL", server=Server("URL"))],
)
"""


@pytest.fixture(scope="module")
def url(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    (folder / "hub").mkdir()
    tool = Path(sys.executable).with_name("transformers")
    command = [tool, "serve", "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"]
    env = {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    with started(command, folder / "log", port=port, env=env) as address:
        yield address


def test_every_verdict_is_read_or_kept_as_it_came(url: str, smollm2: Path) -> None:
    judge = JudgeModel(str(smollm2), url, name="small", max_tokens=40)
    panel, notes = Panel([judge], rubric.load("accuracy")), Notes()
    panel.greet()
    cases = [Case(f"c{i}", f"What is {i}+{i}?", str(2 * i), str(2 * i)) for i in range(3)]
    made = panel.ask(cases, notes)
    assert len(made) == len(notes.kept) == 3
    for one in made:
        assert one.raw
        assert (one.read is None) == (one.reason is not None)
    assert panel.spent.fresh == 3
    assert panel.spent.tokens_in > 3 * 150
    again = Panel([judge], rubric.load("accuracy"))
    assert scores(again.ask(cases, notes), "pointwise") == scores(made, "pointwise")
    assert again.spent.fresh == 0


def test_a_suite_with_a_judge_from_run_to_report(
    url: str, smollm2: Path, tmp_path: Path, harness_cli: Run
) -> None:
    suite = tmp_path / "small"
    suite.mkdir()
    text = SUITE.replace("MODEL", str(smollm2)).replace("URL", url)
    (suite / "suite.py").write_text(text, "utf-8")
    env = {"HARNESS_CACHE": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
    done = harness_cli("run", "small", "--out", "run", "--report-only", env=env)
    assert done.returncode == 4, done.stderr
    manifest = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    about = manifest["judges"]["judge_accuracy"]
    assert about["calls"] == 1
    # The judge is the model that it judges.
    assert about["judges"][0]["same_as_subject"] == ["base"]
    assert about["calibration"]["reason"] == "the judge was never calibrated"
