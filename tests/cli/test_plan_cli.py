"""``harness plan`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Harness = Callable[..., subprocess.CompletedProcess[str]]

SUITE = """
from harness import Adapter, Data, LoraRecipe, Sample, Suite, Task, Variant
from harness.rules import parse_rules

samples = tuple(Sample(f"s{i}", f"question {i}", targets=("a",)) for i in range(300))
suite = Suite(
    name="small",
    tasks=[Task(name="default", data=Data(eval=samples), scorers=["exact_match"])],
    variants=[
        Variant("plain", "./nowhere"),
        Variant("tuned", "./nowhere", adapter=Adapter(LoraRecipe())),
    ],
    rules=parse_rules(RULES, where="suite.py"),
)
"""
RULES = {
    "candidate": "tuned",
    "rule": [
        {"metric": "exact_match", "role": "non_inferior", "versus": "best", "margin": 0.03},
        {"metric": "exact_match", "role": "guardrail", "min": 0.5},
    ],
}
KEYS = {
    *("schema_version", "suite", "candidate", "pilot", "stated", "samples", "batch", "seed"),
    *("repetitions", "rules", "all_ship", "warnings"),
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "suite.py").write_text(SUITE.replace("RULES", repr(RULES)), "utf-8")
    return folder


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    rows = [
        {
            "sample_id": f"s{i}",
            "variant": name,
            "scores": {"exact_match": float((i + shift) % 10 < 8)},
        }
        for i in range(100)
        for name, shift in (("plain", 0), ("tuned", 1))
    ]
    path = tmp_path / "scores.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_stated_rates_on_the_terminal(harness_cli: Harness, suite: Path) -> None:
    found = harness_cli("plan", suite, "--discordance", "0.15", "--rate", "0.8")
    assert found.returncode == 0, found.stderr
    assert "non_inferior" in found.stdout
    assert "about 1,100" in found.stdout
    assert "300 samples prove it with chance" in found.stdout
    assert "all rules ship with chance" in found.stdout


def test_an_imported_pilot_as_json(harness_cli: Harness, suite: Path, scores: Path) -> None:
    assert harness_cli("import", scores, "--out", "pilot").returncode == 0
    found = harness_cli("plan", suite, "--pilot", "pilot", "--json")
    assert found.returncode == 0, found.stderr
    plan = json.loads(found.stdout)
    assert set(plan) == KEYS
    first, second = plan["rules"]
    assert (first["versus"], first["n"], first["effect"]) == ("plain", 300, 0.0)
    assert 0 < first["power"] < 0.8 < second["power"] <= 1
    assert first["power_at_bound"] <= first["power"]
    assert first["samples_80"] < first["samples_90"]
    assert (plan["pilot"], plan["batch"]) == ("pilot", None)


def test_never_is_one_plain_sentence(harness_cli: Harness, suite: Path) -> None:
    found = harness_cli("plan", suite, "--discordance", "0.2", "--effect", "-0.05", "--rate", "0.8")
    assert "never: the true effect must exceed the margin (-0.03)" in found.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "--discordance"),
        (("--discordance", "0.1", "--rate", "1.5"), "--rate 1.5 is no value"),
        (("--discordance", "15", "--rate", "0.8"), "not in the range"),
        (("--pilot", "nowhere"), "nowhere"),
        (("--rules", "nowhere.toml"), "no rules file"),
    ],
)
def test_wrong_usage(
    harness_cli: Harness, suite: Path, args: tuple[str, ...], message: str
) -> None:
    found = harness_cli("plan", suite, *args)
    assert found.returncode == 2
    assert message in found.stderr


def test_a_plan_loads_no_torch(suite: Path) -> None:
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"try: main(['plan', {str(suite)!r}, '--discordance', '0.1', '--rate', '0.9'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sorted({'torch', 'transformers', 'scipy.stats', 'statsmodels'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == ""
