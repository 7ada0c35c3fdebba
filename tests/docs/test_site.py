"""The site: pages are in its navigation, links lead somewhere, the reference is the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT

DOCS = ROOT / "docs"


def navigation() -> list[str]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))

    def leaves(node: Any) -> list[str]:
        if isinstance(node, str):
            return [node]
        items = node.values() if isinstance(node, dict) else node
        return [leaf for item in items for leaf in leaves(item)]

    return leaves(config["nav"])


def test_every_page_is_in_the_navigation_once() -> None:
    pages = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))
    assert sorted(navigation()) == pages


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:", "#")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
            assert anchor in slugs, f"{page.name}: {target}"


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    """`python docs/make_reference.py` writes it."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "make_reference.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {p.name: p.read_text("utf-8") for p in tmp_path.iterdir()}
    kept = {p.name: p.read_text("utf-8") for p in (DOCS / "reference").glob("*.md")}
    assert set(made) == set(kept)
    for name, text in made.items():
        assert text == kept[name], f"{name} is not what the code says: run docs/make_reference.py"


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra 'docs' is not installed (tox -e docs)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "tutorial" / "index.html").read_text("utf-8")
    assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?)"', page)
