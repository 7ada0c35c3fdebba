"""Imports run downwards, and the light commands stay light (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent
HEAVY = {"torch", "transformers", "pandas", "scipy.stats", "statsmodels", "bert_score", "nltk"}
HEAVY |= {"sacrebleu", "joblib", "phonenumbers", "stdnum", "openai"}

WORKERS = ("data", "retrieval", "training", "engines", "scorers")
LAYERS = [
    ("types", "errors", "fingerprints"),
    (
        *("sources", "store", "stats", "rules", "recipes", "suites", "models", "personal"),
        *("endpoints", "judging", "settings"),
    ),
    WORKERS,
    ("compare",),
    ("gate",),
    ("pipeline", "report", "exports"),
    ("cli", "__main__", "pytest_plugin"),
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
APART = [{name} for name in WORKERS] + [{"pipeline"}, {"report"}]
"""Modules of one layer that do not know each other."""


def part(module: str) -> str:
    """``harness.store.runs`` belongs to ``store``; the package itself to nothing."""
    names = module.split(".")
    return names[1] if len(names) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "harness":
                yield from (f"harness.{a.name}" for a in node.names)
            else:
                yield node.module


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_run_downwards(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert own in LEVEL, f"{own} has no place in the layers: add it here and to the architecture"
    for module in imports(path):
        other = part(module) if module.startswith("harness") else ""
        if other in ("", own) or other.startswith("__"):
            continue
        assert other in LEVEL, f"{path} imports {module}, which has no place in the layers"
        assert LEVEL[other] <= LEVEL[own], f"{own} must not import {module}: imports run downwards"
        if LEVEL[other] == LEVEL[own] and any(own in a or other in a for a in APART):
            pytest.fail(f"{own} must not import {module}: they are of one layer")


def loaded_by(code: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import harness",
        "import harness.cli, harness.gate, harness.report, harness.store.runs",
        "from harness.cli import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "import harness.scorers, harness.recipes, harness.suites, harness.rules",
        "import harness.pytest_plugin, harness.settings, harness.exports",
    ],
)
def test_light_imports_load_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & HEAVY
