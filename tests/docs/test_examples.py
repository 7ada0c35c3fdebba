"""The Python in the documentation: it parses, what it imports is there, and examples work."""

from __future__ import annotations

import ast
import csv
import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, blocks

CODE = [b for page in PAGES for b in blocks(page) if b.kind == "python"]


@pytest.mark.parametrize("block", CODE, ids=lambda b: b.where)
def test_what_an_example_imports_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harness":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


def example(page: str, holding: str) -> str:
    (found,) = (b.text for b in blocks(ROOT / "docs" / page) if holding in b.text)
    return found


def test_whatever_datasets_loads_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets", reason="the extra 'local' is not installed")
    with (tmp_path / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "queue", "user"])
        rng = random.Random(0)
        for i in range(900):
            text = " ".join(f"word{rng.randrange(500)}" for _ in range(12))
            rows.writerow([text, "billing", f"user-{i}"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    namespace: dict[str, object] = {}
    exec(example("how-to/own-data.md", "load_dataset"), namespace)
    data = namespace["data"](0)  # type: ignore[operator]
    assert len(data.eval) == len(data.train) == 400
    assert data.eval[0].cluster.startswith("user-")


def test_asserts_as_the_page_shows_them(tmp_path: Path) -> None:
    names = "ask_old = lambda sample: 'login'\nask_new = lambda sample: sample.targets[0]\n"
    code = example("how-to/pytest.md", "@evaluate")
    (tmp_path / "test_polite.py").write_text(names + code, "utf-8")
    (tmp_path / "rules.toml").write_text(
        'candidate = "new"\n[[rule]]\nmetric = "polite"\nrole = "superior"\nversus = "old"\n'
        "margin = 0.1\n",
        "utf-8",
    )
    from harness.cli import _tickets

    folder = tmp_path / "suites" / "triage"
    folder.mkdir(parents=True)
    (folder / "eval.jsonl").write_text("\n".join(_tickets.rows()[0]), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
