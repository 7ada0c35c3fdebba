"""The suite of a project whose variants are on a server."""

from __future__ import annotations

from pathlib import Path

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


def write_suite(folder: Path, url: str, suite: str = SUITE, rules: str = RULES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.py").write_text(suite, "utf-8")
    (folder / "rules.toml").write_text(rules, "utf-8")
    common = f'model = "base"\n[server]\nbase_url = "{url}"\n'
    (folder / "base.toml").write_text(common, "utf-8")
    (folder / "tuned.toml").write_text(common + '[adapter]\nserved = "tuned"\n', "utf-8")
    return folder
