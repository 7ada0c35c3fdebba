"""``harness run`` on served variants, as a user calls it; the server is real and scripted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra 'server' is not installed")

from scripted_server import Said, Scripted, choice, serving

from harness.store.runs import read_run

Run = Callable[..., CompletedProcess[str]]

SUITE = """
from pathlib import Path
from harness import Data, Sample, Suite, Task
from harness.recipes import load_variant
from harness.rules import parse_rules

HERE = Path(__file__).parent
samples = tuple(Sample(f"s{i}", f"q{i}", ("yes",)) for i in range(60))
suite = Suite(
    "served",
    [Task("t", Data(samples), ["exact_match"])],
    [load_variant(HERE / f"{name}.toml") for name in ("base", "tuned")],
    parse_rules(
        {
            "candidate": "tuned",
            "rule": [
                {"metric": "exact_match", "role": "superior", "versus": "base", "margin": 0.05}
            ],
        },
        where="suite.py",
    ),
)
"""


def answers(body: Mapping[str, Any], before: int) -> Said:
    """The adapter is right; the base is right on every second question."""
    question = body["messages"][-1]["content"]
    if question == "q7":
        return Said(400, {"error": {"message": "maximum context length is 8 tokens"}})
    right = body["model"] == "tuned" or question[-1] in "02468"
    return choice("yes" if right else "no")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(answers) as script:
        yield script


@pytest.fixture
def run(tmp_path: Path, harness_cli: Run) -> Run:
    """Writes the suite for the server at ``url`` and runs it."""

    def call(url: str, *args: str | Path, base: str = "", tuned: str = "") -> CompletedProcess[str]:
        suite = tmp_path / "suites" / "served"
        suite.mkdir(parents=True, exist_ok=True)
        (suite / "suite.py").write_text(SUITE, "utf-8")
        common = f'model = "base"\ncost_per_1k_tokens = 2.0\n[server]\nbase_url = "{url}"\n'
        (suite / "base.toml").write_text(base or common, "utf-8")
        adapter = '[adapter]\nserved = "tuned"\n'
        (suite / "tuned.toml").write_text(tuned or common + adapter, "utf-8")
        env = {"HARNESS_CACHE": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
        return harness_cli("run", suite, "--out", tmp_path / "run", *args, env=env)

    return call


def test_the_verdict_of_a_run_as_json(server: Scripted, run: Run, tmp_path: Path) -> None:
    done = run(server.url, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["verdict"] == "SHIP"
    assert made["run"] == str(tmp_path / "run")
    assert (tmp_path / made["report"]).is_file()


def test_a_run_from_server_to_verdict(server: Scripted, run: Run, tmp_path: Path) -> None:
    done = run(server.url)
    assert done.returncode == 0, done.stderr
    found = read_run(tmp_path / "run")
    rows = {(r["variant"], r["sample_id"]): r for r in found.outputs.to_pylist()}
    row = rows["tuned", "s1"]
    assert row["output"] == "yes"
    assert json.loads(row["prompt"]) == [{"role": "user", "content": "q1"}]
    assert (row["tokens_in"], row["tokens_out"]) == (7, 2)
    assert row["cost"] == pytest.approx(2.0 * 9 / 1000)
    lost = rows["base", "s7"]
    assert lost["error"].startswith("prompt too long: HTTP 400")
    assert (lost["output"], lost["tokens_in"], lost["cost"]) == (None, None, None)
    scores = {(r["variant"], r["sample_id"]): r for r in found.scores.to_pylist()}
    assert scores["base", "s7"]["value"] is None
    assert "too long" in scores["base", "s7"]["reason"]
    about = found.manifest["variants"]["tuned"]
    assert about["recipe"]["precision"] == "served"
    assert about["fingerprints"]["adapter_served"] == "tuned"
    assert about["proof"]["canary"]["texts_changed"] > 0
    assert found.manifest["environment"]["device"] == "server"


def test_a_second_run_asks_only_whether_the_server_is_still_the_same(
    server: Scripted, run: Run, tmp_path: Path
) -> None:
    assert run(server.url).returncode == 0
    first = len(server.asked)
    done = run(server.url, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    again = server.asked[first:]
    # One token of each name, the canary (six prompts: the base twice, the adapter, and both
    # together), and what failed.
    assert sum(b["max_tokens"] == 1 for b in again) == 2
    assert sum(b["max_tokens"] == 16 for b in again) == 5 * 6
    assert [server.question(b) for b in again if b["max_tokens"] == 64] == ["q7", "q7"]
    both = [read_run(tmp_path / name).outputs for name in ("run", "again")]
    assert both[0].equals(both[1])


def test_an_adapter_that_the_server_ignores_is_no_result(run: Run) -> None:
    with serving(lambda body, _: choice("no")) as script:
        done = run(script.url)
        asked = [b["max_tokens"] for b in script.asked]
    assert done.returncode == 4
    assert "The adapter 'tuned' changes nothing on the server" in done.stderr
    assert 64 not in asked


def test_a_server_that_mixes_names_up_is_asked_for_one_at_a_time_and_told_of(
    run: Run, tmp_path: Path
) -> None:
    """As vLLM on CPU: the base's answer is the adapter's while one for the adapter is made."""
    under_way: list[str] = []

    def answer(body: Mapping[str, Any], before: int) -> Said:
        under_way.append(body["model"])
        time.sleep(0.05)
        adapted = "tuned" in under_way
        under_way.remove(body["model"])
        return answers({**body, "model": "tuned"} if adapted else body, before)

    with serving(answer) as script:
        done = run(script.url)
    assert done.returncode == 0, done.stderr
    found = read_run(tmp_path / "run")
    assert "asked for the base and for the adapter at the same time" in str(
        found.manifest["warnings"]
    )
    said = {
        r["sample_id"]: r["output"] for r in found.outputs.to_pylist() if r["variant"] == "base"
    }
    assert said["s1"] == said["s59"] == "no"


def test_a_server_that_is_not_there_costs_nothing(run: Run) -> None:
    with serving() as script:
        pass
    done = run(script.url)
    assert done.returncode == 2
    assert f"The server at {script.url} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_name_costs_nothing(server: Scripted, run: Run) -> None:
    wrong = f'model = "base"\n[server]\nbase_url = "{server.url}"\n[adapter]\nserved = "tund"\n'
    done = run(server.url, tuned=wrong)
    assert done.returncode == 2
    assert "Did you mean 'tuned'? Known: base, tuned." in " ".join(done.stderr.split())
    assert {b["max_tokens"] for b in server.asked} == {1}


@pytest.mark.parametrize("way", [("--sequential", "--batch", "30"), ("--probe", "4")])
def test_the_other_ways_to_run(way: tuple[str, ...], server: Scripted, run: Run, tmp_path: Path):
    done = run(server.url, *way)
    assert done.returncode == 0, done.stderr
    manifest = read_run(tmp_path / "run").manifest
    if way[0] == "--sequential":
        assert manifest["sequential"]["looks"] >= 1
    else:
        seconds = manifest["probe"]["tasks"]["t"]["latency_s"]
        assert all(len(seconds[v]) == 4 for v in ("base", "tuned"))


@contextmanager
def without(folder: Path, *packages: str) -> Iterator[None]:
    """Whatever would import them finds ones that cannot be imported."""
    for name in packages:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise ImportError('not here')", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        yield


def test_a_served_run_needs_no_torch(server: Scripted, run: Run, tmp_path: Path) -> None:
    with without(tmp_path / "blocked", "torch", "transformers", "peft"):
        done = run(server.url)
    assert done.returncode == 0, done.stderr


def test_the_extra_is_named_where_it_is_missing(server: Scripted, run: Run, tmp_path: Path) -> None:
    with without(tmp_path / "blocked", "openai"):
        done = run(server.url)
    assert done.returncode == 2
    assert "python -m pip install 'shipworthy[server]'" in " ".join(done.stderr.split())
    assert server.asked == []


def test_training_leaves_what_a_server_has_alone(
    server: Scripted, run: Run, harness_cli: Run, tmp_path: Path
) -> None:
    run(server.url)
    done = harness_cli("train", tmp_path / "suites" / "served")
    assert done.returncode == 2
    assert "nothing to train" in done.stderr
