"""A headless Chromium for the tests that read reports as people do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_runs as runs
from browsing import FLAGS, Tab

from harness.report import render
from harness.store.runs import Run
from harness.types import Status


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def open_page(
        run: Run, fragment: str = "", page: str | None = None, others: Any = (), **options: Any
    ) -> Tab:
        verdict = runs.verdict(Status.HOLD, rules=runs.mixed_rules())
        if "hybrid" not in run.manifest["variants"]:
            verdict = runs.verdict(candidate=next(iter(run.manifest["variants"])), rules=())
        page = page or render(
            run,
            verdict,
            runs.comparisons_of(run),
            runs.summaries_of(run),
            evidence=runs.evidence_of(run),
            others=others,
        )
        file = tmp_path / "a report #1.html"
        file.write_bytes(page.encode())
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        return Tab(context.new_page(), file).open(fragment)

    yield open_page
    for context in contexts:
        context.close()
