"""``harness gate`` and ``harness compare`` as a user and a CI job meet them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from harness.store.import_run import import_scores

RULES = """
candidate = "new"
[[rule]]
metric = "m"
role = "superior"
versus = "old"
margin = 0.1
[[rule]]
metric = "m"
role = "guardrail"
min = 0.99
advisory = true
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    rng = random.Random(0)
    rows = []
    for i in range(60):
        base = rng.uniform(0, 0.5)
        for variant, value in (("old", base), ("new", base + rng.uniform(0.2, 0.4))):
            rows.append({"sample_id": str(i), "variant": variant, "scores": {"m": value}})
    (folder / "s.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "rules.toml").write_text(RULES)
    return import_scores(folder / "s.jsonl", folder / "run [bold]")[0]


def test_the_terminal_shows_rows_reasons_and_the_verdict(run, harness_cli):
    result = harness_cli("gate", run, "--rules", run.parent / "rules.toml")
    assert result.returncode == 0, result.stderr
    assert "m guardrail (advisory)" in result.stdout
    assert "value >= 0.99 is disproved" in result.stdout
    assert "verdict  SHIP  new" in result.stdout
    assert "ship     new" in result.stdout


@pytest.mark.parametrize("option", [["--json"], ["--json", "-"]])
def test_json_on_standard_output_is_alone_there(run, harness_cli, option):
    result = harness_cli("gate", run, "--rules", run.parent / "rules.toml", *option)
    assert result.returncode == 0
    assert json.loads(result.stdout)["verdict"] == "SHIP"


def test_junit_shows_nothing_but_ship_as_green(run, harness_cli, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.replace("margin = 0.1", "margin = 0.4"))
    result = harness_cli("gate", run, "--rules", rules, "--junit", tmp_path / "new" / "out.xml")
    assert result.returncode == 1
    suite = ET.parse(tmp_path / "new" / "out.xml").getroot().find("testsuite")
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
    }
    assert suite.find("testcase/failure").get("type") == "HOLD"


def test_a_place_that_cannot_be_written_is_usage(run, harness_cli):
    rules = run.parent / "rules.toml"
    result = harness_cli("gate", run, "--rules", rules, "--json", run)
    assert result.returncode == 2
    assert "cannot be written" in result.stderr


def test_the_gate_stays_light(run):
    code = (
        "import sys\nfrom harness.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "gate", run, "--rules", run.parent / "rules.toml"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verdict  SHIP" in result.stdout
    heavy = {"torch", "transformers", "pandas", "scipy.stats", "statsmodels", "jinja2"}
    assert not set(result.stderr.split()) & heavy


def test_compare_shows_each_pair_once(run, harness_cli):
    result = harness_cli("compare", run)
    assert result.returncode == 0
    assert [line.split()[:4] for line in result.stdout.splitlines()[1:]] == [
        ["default", "m", "new", "old"]
    ]


def test_compare_of_two_runs_names_them(run, harness_cli, tmp_path):
    import shutil

    other = shutil.copytree(run, tmp_path / "other")
    result = harness_cli("compare", run, other, "--json", tmp_path / "c.json")
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / "c.json").read_text())["rows"]
    assert len(rows) == 12
    same = next(r for r in rows if (r["candidate"], r["versus"]) == ("other/new", "run [bold]/new"))
    assert (same["estimate"], same["n"]) == (0.0, 60)
