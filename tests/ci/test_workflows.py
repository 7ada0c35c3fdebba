"""The action, the GitLab template and the examples, against the schemas of the services."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent

WORKFLOWS = sorted(p for p in (ROOT / "docs" / "ci").glob("*.yml") if "gitlab" not in p.name)
GITLAB = [ROOT / "ci" / "gitlab.yml", *sorted((ROOT / "docs" / "ci").glob("gitlab*.yml"))]


def check(schema: str, *files: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_is_one() -> None:
    check("vendor.github-actions", ROOT / "action.yml")


def test_the_examples_are_workflows() -> None:
    assert {p.stem for p in WORKFLOWS} == {"pull-request", "nightly", "release", "canary"}
    check("vendor.github-workflows", *WORKFLOWS)


def test_the_templates_are_gitlab_s() -> None:
    check("vendor.gitlab-ci", *GITLAB)


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_what_init_writes_is_valid(tmp_path: Path, ci: str) -> None:
    from harness.cli import _scaffold

    _scaffold.write(tmp_path, _scaffold.contents("triage", ci, None))
    schema = "vendor.github-workflows" if ci == "github" else "vendor.gitlab-ci"
    check(schema, tmp_path / str(_scaffold.CI_FILES[ci]))


def scripts(node: Any) -> Iterator[str]:
    """The text of every `run` of a step."""
    if isinstance(node, dict):
        for step in node.get("steps") or ():
            yield str(step.get("run", ""))
        for below in node.values():
            yield from scripts(below)


def test_no_input_is_written_into_a_script() -> None:
    """An expression inside `run` would execute whatever a branch's name says."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = 0
    for file in [ROOT / "action.yml", *WORKFLOWS]:
        for script in scripts(yaml.safe_load(file.read_text("utf-8"))):
            found += bool(script)
            assert "${{" not in script, f"{file.name}: {script}"
    assert found > 8


def test_inputs_reach_the_scripts() -> None:
    """Each variable that a script reads is set by the action, and the other way round."""
    action = (ROOT / "action.yml").read_text("utf-8")
    scripts = "".join(p.read_text("utf-8") for p in (ROOT / "ci").glob("*.sh"))
    given = set(re.findall(r"^\s+(INPUT_[A-Z_]+):", action, re.MULTILINE))
    used = set(re.findall(r"\$\{?(INPUT_[A-Z_]+)", scripts))
    assert given == used
