"""A scorer of the user's own, from the suite to the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from scripted import Scripted, at_work, rules, suite

from harness.errors import SuiteError
from harness.pipeline import Settings
from harness.pipeline.measuring import whole
from harness.scorers import resolve
from harness.store.runs import write_run
from harness.suites import load_suite

CHECKS = """
def affirms(predictions, samples):
    '''1 where the answer says yes.'''
    %s
    return ["yes" in p for p in predictions]
"""
RULE = {"metric": "affirms", "role": "superior", "versus": "zero", "margin": 0.0}
OTHER = """
candidate = "few"
[[rule]]
metric = "exact_match"
role = "superior"
versus = "zero"
margin = 0.0
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def measured(folder: Path, line: str = "", **rule: Any) -> Path:
    """A run folder of 200 samples, of which `few` has 92 more right than `zero`; its first scorer
    is the function with one more line."""
    folder.mkdir()
    (folder / "checks.py").write_text(CHECKS % line, "utf-8")
    mine = resolve(f"{folder / 'checks.py'}:affirms")
    made = suite({"zero": "5", "few": "97"}, rules("few", {**RULE, **rule}))
    made = replace(made, tasks=[replace(made.tasks[0], scorers=[mine, "exact_match"])])
    with at_work(made, Settings(), Scripted(folder), folder / "cache") as work:
        found = whole(work, made.variants, [])
    return write_run(folder / "run", found.manifest, found.outputs, found.scores)


def test_a_rule_on_a_sound_scorer_is_decided(tmp_path: Path, harness_cli: Callable) -> None:
    run = measured(tmp_path / "a")
    done = harness_cli("gate", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rules"][0]["metric"] == "affirms"
    about = json.loads((run / "run.json").read_text("utf-8"))["tasks"]["t"]["metrics"]["affirms"]
    assert about["definition"] == "1 where the answer says yes."
    assert about["version"].startswith("affirms==sha256:")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("raise KeyError('column')", "affirms raised KeyError (line 4 of its file)"),
        ("return [1.0]", "affirms returned 1 items for"),
        ("return (1 for _ in samples)", "affirms returned a generator"),
        ("return ['1'] * len(samples)", "affirms gave a str"),
        ("return [float('nan')] * len(samples)", "the impossible value nan"),
        ("return [2 if s.id == 's007' else 1 for s in samples]", "the impossible value 2.0"),
    ],
)
def test_a_rule_on_a_scorer_that_fails_is_never_shipped(
    tmp_path: Path, harness_cli: Callable, line: str, reason: str
) -> None:
    run = measured(tmp_path / "a", line)
    done = harness_cli("gate", run, "--json")
    assert done.returncode == 4, done.stdout
    assert json.loads(done.stdout)["verdict"] == "INVALID"
    kept = pq.read_table(run / "scores.parquet")["reason"].to_pylist()
    assert any(reason in text for text in kept if text)
    # The other scorer went on.
    (tmp_path / "rules.toml").write_text(OTHER, "utf-8")
    assert harness_cli("gate", run, "--rules", tmp_path / "rules.toml").returncode == 0


def test_an_edited_scorer_is_another_one(tmp_path: Path, harness_cli: Callable) -> None:
    one, same = measured(tmp_path / "one"), measured(tmp_path / "same")
    done = harness_cli("compare", one, same)
    assert done.returncode == 0, done.stderr
    edited = measured(tmp_path / "edited", "# another threshold")
    done = harness_cli("compare", one, edited)
    assert done.returncode == 4
    assert "metric 'affirms': 'version' is 'affirms==sha256:" in done.stderr


def test_a_suite_takes_functions_of_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(CHECKS % "" + "def silent(p, s):\n    return []\n", "utf-8")
    text = (
        "from harness import Data, Sample, Suite, Task, Variant\n"
        "from checks import affirms, silent\n"
        "data = Data((Sample('1', 'q', ('yes',)),))\n"
        "suite = Suite('s', [Task('t', data, [affirms])], [Variant('v', 'hf:a/b')])\n"
    )
    (tmp_path / "suite.py").write_text(text, "utf-8")
    loaded = load_suite(tmp_path, check_scorer=resolve)
    by_path = resolve(f"{tmp_path / 'checks.py'}:affirms")
    assert resolve(loaded.tasks[0].scorers[0]) == by_path
    (tmp_path / "suite.py").write_text(text.replace("[affirms]", "[silent]"), "utf-8")
    with pytest.raises(SuiteError, match=r"task 't': .*Give it a docstring"):
        load_suite(tmp_path, check_scorer=resolve)
