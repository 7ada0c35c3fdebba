"""One precedence: command line, environment, pyproject.toml, default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import settings
from harness.errors import UsageError

ROWS = '{"sample_id": "1", "variant": "a", "scores": {"m": 0.5}}\n'


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    file = tmp_path / "s.jsonl"
    file.write_text(ROWS, "utf-8")
    return file


def project(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, "utf-8")


def test_the_command_line_the_environment_then_the_project(
    tmp_path: Path, scores: Path, harness_cli: Any
) -> None:
    project(tmp_path, '[tool.harness.import]\nout = "from_project"\n')
    below = tmp_path / "below"
    below.mkdir()
    assert harness_cli("import", scores, cwd=below).returncode == 0
    assert (below / "from_project" / "run.json").is_file()
    env = {"HARNESS_IMPORT_OUT": "from_environment"}
    assert harness_cli("import", scores, env=env).returncode == 0
    assert (tmp_path / "from_environment" / "run.json").is_file()
    assert harness_cli("import", scores, "--out", "said", env=env).returncode == 0
    assert (tmp_path / "said" / "run.json").is_file()


def test_a_group_has_a_table_for_each_command(tmp_path: Path, harness_cli: Any) -> None:
    text = '[tool.harness]\ncache_folder = "kept"\n[tool.harness.cache.show]\njson = "-"\n'
    project(tmp_path, text)
    done = harness_cli("cache", "show", env={"HARNESS_CACHE": ""})
    assert done.returncode == 0, done.stderr
    assert f'"path": "{tmp_path / "kept"}' in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.harness]\ncash = 1\n", "[tool.harness]: unknown key 'cash'"),
        ("[tool.harness.gate]\nruls = 'x'\n", "unknown key 'ruls'. Did you mean 'rules'?"),
        ("[tool.harness.gate]\nsequential = 'yes'\n", "'sequential' must be true or false"),
        ("[tool.harness.gate]\nrules = ['a']\n", "'rules' must be one value, not a list"),
        ("[tool.harness.gate.rules]\nx = 1\n", "'rules' must be a value, not a table"),
        ("[tool]\nharness = 3\n# tool.harness", "tool.harness must be a table"),
        ("[tool.harness\n", "is not TOML"),
        ("[tool.harness]\ncache_folder = 3\n", "'cache_folder' must be a text"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, harness_cli: Any, text: str, said: str
) -> None:
    project(tmp_path, text)
    done = harness_cli("gate", "nowhere")
    assert done.returncode == 2
    assert said in done.stderr
    assert "pyproject.toml" in done.stderr


def test_a_wrong_value_is_told_with_its_place(tmp_path: Path, harness_cli: Any) -> None:
    project(tmp_path, '[tool.harness.plan]\nseed = "x"\n')
    done = harness_cli("plan", "nowhere")
    assert done.returncode == 2
    assert f"It stands in {tmp_path / 'pyproject.toml'}." in done.stderr
    named = harness_cli("plan", "nowhere", env={"HARNESS_PLAN_SEED": "y"})
    assert "HARNESS_PLAN_SEED" in named.stderr


def test_the_nearest_file_with_a_table_counts(tmp_path: Path) -> None:
    project(tmp_path, '[tool.harness]\ncache_max_size = "1GB"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    project(below, "[project]\nname = 'other'\n")
    assert settings.project(below).file == tmp_path / "pyproject.toml"
    project(below, "not toml at all [[[")
    assert settings.project(below).file == tmp_path / "pyproject.toml"
    project(below, "[tool.harness.run]\nseed = 1\n")
    found = settings.project(below)
    assert found.section("run", ["seed"]) == {"seed": 1}
    with pytest.raises(UsageError, match="unknown key 'seed'"):
        found.section("run", ["sed"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script(harness_cli: Any, shell: str) -> None:
    done = harness_cli("completion", shell)
    assert done.returncode == 0, done.stderr
    assert f"_HARNESS_COMPLETE={shell}_complete" in done.stdout


def test_commands_and_options_are_completed(tmp_path: Path, harness_cli: Any) -> None:
    def complete(line: str, at: int) -> list[str]:
        env = {"COMP_WORDS": line, "COMP_CWORD": str(at), "_HARNESS_COMPLETE": "bash_complete"}
        done = harness_cli(env=env)
        assert done.returncode == 0
        assert done.stderr == ""
        return [word.partition(",")[2] for word in done.stdout.split()]

    assert complete("harness ga", 1) == ["gate"]
    assert "--sequential" in complete("harness gate --s", 2)
    # A mistake in a file does not write into somebody's prompt.
    project(tmp_path, "[tool.harness]\ncash = 1\n")
    assert complete("harness gate --s", 2) == []
