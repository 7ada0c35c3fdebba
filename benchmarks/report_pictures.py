"""The pictures of docs/report.md and of the README, from a run folder.

python benchmarks/report_pictures.py RUN [OTHER_RUN] [--out docs/pictures]

Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screenshot import FLAGS

from harness.report import write_report

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Shot:
    name: str
    act: Callable[[Any], None]
    width: int = 1280
    height: int = 860
    scheme: str = "light"


def at(element: str) -> Callable[[Any], None]:
    def scroll(page: Any) -> None:
        page.evaluate("id => document.getElementById(id)?.scrollIntoView()", element)

    return scroll


def opened(page: Any) -> None:
    page.locator(".line").first.click()
    page.wait_for_selector("dialog[open]")


def differences(page: Any) -> None:
    select = page.locator("select.baseline").first
    select.select_option(index=min(2, select.locator("option").count() - 1))
    at("variants")(page)


SHOTS = (
    Shot("report-verdict", lambda page: None),
    Shot("report-metrics", differences, height=640),
    Shot("report-frontier", at("frontier"), height=620),
    Shot("report-samples", at("samples"), scheme="dark", height=760),
    Shot("report-sample", opened, height=720),
    Shot("report-compare", at("compared"), height=800),
    Shot("report-narrow", lambda page: None, width=360, height=780),
    Shot("report-narrow-sample", opened, width=360, height=780, scheme="dark"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("No Chromium found. Install one, for example: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = write_report(args.runs[0], Path(folder) / "report.html", others=args.runs[1:])
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for shot in SHOTS:
            if shot.name == "report-compare" and len(args.runs) < 2:
                continue
            size = {"width": shot.width, "height": shot.height}
            page = browser.new_page(
                viewport=size, color_scheme=shot.scheme, reduced_motion="reduce"
            )
            page.goto(file.resolve().as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            shot.act(page)
            page.wait_for_timeout(300)
            page.screenshot(path=args.out / f"{shot.name}.png")
            print(args.out / f"{shot.name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
