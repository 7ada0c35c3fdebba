"""Every command in the documentation is run, or says why it is not.

Models are stood in for by a scripted server: `harness run` of the project that `harness init`
makes really runs, on variants that the server answers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT, Block, blocks

RUN = [page for page in PAGES if any(b.commands and b.reason is None for b in blocks(page))]


def test_every_block_with_our_commands_is_run_or_says_why_not() -> None:
    silent = [
        block.where
        for page in PAGES
        for block in blocks(page)
        if block.names_commands and not block.commands and block.reason is None
    ]
    assert silent == [], "write ```console and $, or <!-- not run: REASON --> above the block"


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    pytest.importorskip("openai", reason="the extra 'server' is not installed")
    from scripted_server import Said, choice, serving

    def answers(body: Mapping[str, Any], before: int) -> Said:
        """The adapter knows the queue; the prompts know every third."""
        text = body["messages"][-1]["content"]
        if body["model"] != "tuned" and len(text) % 3:
            return choice("no idea")
        words = {"billing": ("charge", "card", "invoice"), "login": ("sign", "password", "code")}
        found = [queue for queue, some in words.items() if any(word in text for word in some)]
        return choice(known.get(text, found[0] if found else "other"))

    from harness.cli import _tickets

    rows = [json.loads(line) for part in _tickets.rows() for line in part]
    known = {row["input"]: row["target"] for row in rows}
    with serving(answers, models=("base", "tuned")) as script:
        yield script


def served(project: Path, url: str) -> None:
    """The project's variants on the server."""
    common = f'model = "base"\n[server]\nbase_url = "{url}"\n'
    for name in ("zero_shot", "few_shot"):
        shots = '[shots]\nk = 4\nselect = "nearest"\n' if name == "few_shot" else ""
        (project / "baselines" / name / "recipe.toml").write_text(common + shots, "utf-8")
    for file in project.glob("suites/*/adapter.toml"):
        file.write_text(common + '[adapter]\nserved = "tuned"\n', "utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Commands by their names, a cache of their own, and nothing of this machine's settings."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name, module in (("harness", "harness"), ("pytest", "pytest")):
        script = tools / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', "utf-8")
        script.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HARNESS_", "GITHUB_"))}
    return {
        **kept,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HARNESS_CACHE": str(folder / "cache"),
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "120",
    }


@pytest.fixture(scope="session")
def project(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take to be there: a project with a run, and files to read."""
    folder = tmp_path_factory.mktemp("project")
    env = environment(folder)

    def harness(*args: str) -> None:
        subprocess.run(["harness", *args], cwd=folder, env=env, check=True, capture_output=True)

    harness("init", "--name", "triage")
    served(folder, server.url)
    harness("run", "suites/triage")
    logs = ROOT / "tests" / "data" / "foreign" / "inspect"
    (folder / "logs").mkdir()
    for theirs, ours in (("always_login", "base"), ("better", "tuned")):
        shutil.copy(logs / f"{theirs}.eval", folder / "logs" / f"{ours}.eval")
    rows = [
        {
            "sample_id": f"s{i}",
            "variant": variant,
            "scores": {"exact_match": float(variant == "adapter" or i % 2), "resolved": i % 3 / 2},
        }
        for i in range(60)
        for variant in ("zero_shot", "adapter")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "scores.jsonl").write_text(text, "utf-8")
    for n in (1, 2):
        later = [{**r, "sample_id": f"{r['variant']}-{n}-{r['sample_id']}"} for r in rows]
        hour = "".join(json.dumps(row) + "\n" for row in later)
        (folder / f"canary-{n}.jsonl").write_text(hour, "utf-8")
    harness("import", "scores.jsonl", "--out", "imported")
    said = {"prediction": "billing", "reference": "billing"}
    lines = "".join(json.dumps({"id": str(i), **said}) + "\n" for i in range(5))
    (folder / "predictions.jsonl").write_text(lines, "utf-8")
    (folder / "rules.toml").write_text(_toml("exact_match", "superior", 0.02), "utf-8")
    return folder


def _toml(metric: str, role: str, margin: float, more: str = "") -> str:
    return (
        f'candidate = "adapter"\n[[rule]]\nmetric = "{metric}"\nrole = "{role}"\n'
        f'versus = "zero_shot"\nmargin = {margin}\n{more}'
    )


def written(page: Path, folder: Path) -> None:
    """Files that the page itself shows: a block whose first line is a comment with its name."""
    for block in blocks(page):
        first = block.text.partition("\n")[0].strip()
        name = first.removeprefix("# ")
        if first.startswith("# ") and name.endswith((".py", ".toml")) and " " not in name:
            file = folder / name
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, "utf-8")


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_work_in_order(
    page: Path, project: Path, server: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder, symlinks=True)
    shutil.rmtree(folder / "tools")
    written(page, folder)
    env = environment(folder)
    at = folder
    for block in blocks(page):
        if block.reason is None:
            for command in block.commands:
                at = _run(block, command, at, env, server.url)


def _run(block: Block, command: str, at: Path, env: Mapping[str, str], url: str) -> Path:
    if command.startswith("cd "):
        return at / command[3:]
    done = subprocess.run(
        ["sh", "-c", command], cwd=at, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode in block.exits, (
        f"{block.where}: $ {command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    words = command.split()
    if words[:2] == ["harness", "init"] and len(words) > 2:
        served(at / words[2], url)
    return at
