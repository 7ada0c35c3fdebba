"""``--executor ray`` as a whole: the run that one process would have made."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

import psutil

from harness import pipeline
from harness.engines.ray_cluster import require_ray
from harness.engines.threads import available
from harness.pipeline import Settings
from harness.store.runs import read_run
from harness.types import Adapter, Data, Sample, Suite, Task, Variant

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra 'ray' is not installed", allow_module_level=True)
ray = require_ray()

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(available() < 2, reason="two workers need two cores"),
]


class Killer(pipeline.Silent):
    """Kills the first worker as soon as ``after`` answers are there."""

    def __init__(self, after: int) -> None:
        self.lines: list[str] = []
        self._after, self._done = after, 0

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, units: int = 1, note: str = "") -> None:
        self._done += units
        if self._done == self._after:
            os.kill(self.workers[0], signal.SIGKILL)

    @property
    def workers(self) -> list[int]:
        found = (re.fullmatch(r"Ray: worker (\d+) on .* is up, .*", line) for line in self.lines)
        return [int(match[1]) for match in found if match]

    @property
    def left(self) -> list[int]:
        """Requests that each worker left when it died."""
        found = (re.fullmatch(r".* died; its (\d+) unanswered .*", line) for line in self.lines)
        return [int(match[1]) for match in found if match]


def suite(model: Path, lora: Path) -> Suite:
    samples = tuple(Sample(f"s{i}", f"Say {i + 1} words.", ("A thing.",)) for i in range(10))
    tasks = [
        Task(name, Data(samples), ["exact_match", "perplexity"], max_new_tokens=new)
        for name, new in (("short", 24), ("long", 48))
    ]
    zero = Variant("zero", str(model), precision="bf16", system="Answer at once.")
    tuned = replace(zero, name="tuned", adapter=Adapter(path=str(lora)))
    return Suite("items", tasks, [zero, tuned])


def test_the_run_of_workers_is_the_local_run_though_one_is_killed(
    smollm2: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    killer = Killer(after=2)
    found = {}
    for executor, settings, progress in (
        ("local", Settings(device="cpu", deterministic=True, out=tmp_path / "local"), None),
        (
            "ray",
            Settings(
                device="cpu",
                deterministic=True,
                out=tmp_path / "ray",
                executor="ray",
                workers=2,
            ),
            killer,
        ),
    ):
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / f"cache-{executor}"))
        found[executor] = read_run(pipeline.run(suite(smollm2, lora), settings, progress))
    assert len(killer.left) == 1
    assert killer.left[0] > 0, "it was in the middle of its work"
    assert len(killer.workers) == 3
    assert not ray.is_initialized()
    here, there = found["local"], found["ray"]
    assert here.manifest["fingerprint"] == there.manifest["fingerprint"]
    assert there.outputs.num_rows == 40
    assert there.outputs.drop("latency_s").equals(here.outputs.drop("latency_s"))
    assert there.scores.equals(here.scores), "to the last bit, likelihoods too"


SUITE = """
from harness import Data, Sample, Suite, Task, Variant

samples = tuple(Sample(f"s{{i}}", f"Tell me about item {{i}}.", ("x",)) for i in range(40))
suite = Suite(
    "long",
    [Task("t", Data(samples), ["exact_match"], max_new_tokens=400)],
    [Variant("zero", {model!r}, precision="fp32")],
)
"""


def test_ctrl_c_ends_the_workers_too(smollm2: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.py").write_text(SUITE.format(model=str(smollm2)), "utf-8")
    command = [sys.executable, "-m", "harness", "run", ".", "--executor", "ray", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--device", "cpu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        # A shell that started the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    up = next(filter(None, (re.search(r"worker (\d+) on", line) for line in lines)))
    children = psutil.Process(process.pid).children(recursive=True)
    assert int(up[1]) in {child.pid for child in children}
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130, rest
    assert "Interrupted" in rest
    deadline = time.monotonic() + 30
    while any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children):
        assert time.monotonic() < deadline, "Ray's processes outlive the run"
        time.sleep(0.2)
