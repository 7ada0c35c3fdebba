"""A suite whose variants are on a scripted server, so that a real run takes a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# pytester forgets what a session imported, and numpy cannot be loaded twice in a process.
import numpy  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import scipy.special  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent.parent / "servers"))

SUITE = """
from pathlib import Path
from harness import Data, Sample, Suite, Task
from harness.recipes import load_variant
from harness.rules import load_rules

HERE = Path(__file__).parent
samples = tuple(
    Sample(f"s{i}", f"q{i}", ("yes",), metadata={"half": "odd" if i % 2 else "even"})
    for i in range(80)
)
train = tuple(Sample(f"t{i}", f"learn {i}", ("yes",)) for i in range(3))
suite = Suite(
    "served",
    [Task("triage", Data(samples, train), ["exact_match", "length_words"])],
    [load_variant(HERE / f"{name}.toml") for name in ("base", "tuned")],
    load_rules(HERE / "rules.toml"),
)
"""
RULES = """
candidate = "tuned"
[[rule]]
metric = "exact_match"
role = "superior"
versus = "best"
margin = 0.05
[[rule]]
metric = "exact_match"
role = "superior"
versus = "base"
margin = 0.49
[[rule]]
metric = "exact_match"
role = "non_inferior"
versus = "base"
margin = 0.1
slice = "half"
[[rule]]
metric = "exact_match"
role = "guardrail"
min = 0.99
[[rule]]
metric = "exact_match"
role = "superior"
versus = "base"
margin = 0.9
[[rule]]
metric = "tokens_out"
role = "guardrail"
max = 1.0
advisory = true
[[rule]]
metric = "exact_match"
role = "superior"
versus = "base"
margin = 0.05
min_samples = 200
"""
"""SHIP, INCONCLUSIVE, SHIP in both halves, INCONCLUSIVE, HOLD, advisory, INVALID."""


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    pytest.importorskip("openai", reason="the extra 'server' is not installed")
    from scripted_server import Said, choice, serving

    def answers(body: Mapping[str, Any], before: int) -> Said:
        """The adapter is right; the base is right on every second question."""
        question = body["messages"][-1]["content"]
        right = body["model"] == "tuned" or question[-1] in "02468"
        return choice("yes" if right else "no")

    with serving(answers) as script:
        yield script


def write_suite(folder: Path, url: str, suite: str = SUITE, rules: str = RULES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.py").write_text(suite, "utf-8")
    (folder / "rules.toml").write_text(rules, "utf-8")
    common = f'model = "base"\n[server]\nbase_url = "{url}"\n'
    (folder / "base.toml").write_text(common, "utf-8")
    (folder / "tuned.toml").write_text(common + '[adapter]\nserved = "tuned"\n', "utf-8")
    return folder


@pytest.fixture(scope="session")
def stored(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of that suite."""
    from harness import pipeline
    from harness.suites import load_suite

    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setenv("NO_PROXY", "127.0.0.1")
        suite = load_suite(write_suite(folder / "suites" / "served", server.url))
        return pipeline.run(suite, pipeline.Settings(out=folder / "run"))


@pytest.fixture
def suites(pytester: pytest.Pytester, server: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The suite in a project of its own."""
    monkeypatch.setenv("HARNESS_CACHE", str(pytester.path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return write_suite(pytester.path / "suites" / "served", server.url).parent
