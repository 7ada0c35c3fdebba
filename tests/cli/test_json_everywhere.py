"""``--json``: every command that has a result prints it for programs, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ci_runs import write

from harness.cli import cli

WITHOUT = {
    "ci": "its outputs are GitHub's; the verdict as JSON is `gate --json`",
    "completion": "prints a script",
    "report": "its result is a page; the verdict as JSON is `gate --json`",
}


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
    for key, one in (below or {}).items():
        yield from commands(one, f"{name} {key}")


def test_every_command_has_it_or_a_reason() -> None:
    context = click.Context(cli)
    found = set()
    for name in cli.list_commands(context):
        top = cli.get_command(context, name)
        assert top is not None
        for path, command in commands(top, name):
            options = {opt for param in command.params for opt in param.opts}
            if "--json" not in options:
                found.add(path)
    assert found == set(WITHOUT)


@pytest.mark.parametrize(
    ("args", "key"),
    [
        (("import", "s.jsonl", "--out", "imported"), "run"),
        (("bless", "run"), "baseline"),
        (("gate", "run"), "verdict"),
        (("compare", "run"), "rows"),
        (("export", "run", "--format", "csv", "--out", "x.csv"), "written"),
        (("cache", "show"), "path"),
    ],
)
def test_it_is_all_there_is_on_standard_output(
    tmp_path: Path, harness_cli: Any, args: tuple[str, ...], key: str
) -> None:
    write(tmp_path / "run")
    row = '{"sample_id": "1", "variant": "a", "scores": {"m": 0.5}, "surplus": 1}\n'
    (tmp_path / "s.jsonl").write_text(row, "utf-8")
    env = {"HARNESS_CACHE": str(tmp_path / "cache")}
    done = harness_cli(*args, "--json", env=env)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["schema_version"] == 1
    assert key in made
