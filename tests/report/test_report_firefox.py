"""The page in Firefox, where Debian's is installed: it opens, asks for nothing and can be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import report_runs as runs
from firefox import firefox
from test_report_page import XSS

from harness.report import render
from harness.types import Status

pytestmark = pytest.mark.browser

ENTER, DOWN, ESCAPE = "\ue007", "\ue015", "\ue00c"


def test_the_page_works_in_firefox(tmp_path: Path) -> None:
    pytest.importorskip("websockets", reason="websockets is not installed")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox on this machine")
    payload = " ".join(XSS)
    run = runs.renamed_run(lambda s: f"{s}{payload}", runs.told_run(20))
    page = render(
        run,
        runs.verdict(Status.HOLD, rules=runs.mixed_rules()),
        runs.comparisons_of(run),
        [],
        evidence=runs.evidence_of(run),
    )
    file = tmp_path / "report.html"
    file.write_bytes(page.encode())
    profile = tmp_path / "profile"
    profile.mkdir()
    with firefox(path, profile) as tab:
        tab.open(file.as_uri())
        assert tab.evaluate("document.querySelector('h1').textContent.trim()") == "HOLD"
        assert tab.evaluate("document.querySelectorAll('.line').length") > 4
        tab.evaluate("document.getElementById('table').focus() ?? 1")
        tab.press(DOWN, DOWN, ENTER)
        tab.wait("document.getElementById('drawer').open")
        assert tab.evaluate("document.querySelectorAll('#drawer .answers .panel').length") == 5
        tab.press(ESCAPE)
        tab.wait("!document.getElementById('drawer').open")
        assert tab.evaluate("document.activeElement.id") == "table"
        tab.evaluate(
            "(() => { const q = document.getElementById('query'); q.value = 'titles-00007';"
            " q.dispatchEvent(new Event('input', { bubbles: true })); return 1; })()"
        )
        tab.wait("document.getElementById('found').textContent.startsWith('1 of 40')")
        assert tab.evaluate("window.pwned ?? null") is None
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert tab.evaluate(wide)
        assert [r for r in tab.requests if not r.startswith(("file:", "about:", "data:"))] == []
        assert tab.messages == []
