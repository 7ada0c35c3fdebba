"""A picture of a report, as its readers see it: for the documentation, and for looking at.

python benchmarks/screenshot.py REPORT.html OUT.png [--dark] [--width N] [--height N] [--full]
                                [--at ID] [--click SELECTOR]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of a report.")
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--full", action="store_true", help="the whole page, not one screen")
    parser.add_argument("--at", help="scroll to the element of this id")
    parser.add_argument("--click", help="click the first element of this CSS selector")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("No Chromium found. Install one, for example: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(
            viewport={"width": args.width, "height": args.height},
            color_scheme="dark" if args.dark else "light",
            reduced_motion="reduce",
        )
        page.goto(args.report.resolve().as_uri())
        page.wait_for_load_state()
        if page.locator("#browser").count():
            page.wait_for_selector("html[data-ready]", state="attached")
        if args.at:
            page.evaluate("id => document.getElementById(id).scrollIntoView()", args.at)
        if args.click:
            page.locator(args.click).first.click()
        page.wait_for_timeout(300)
        page.screenshot(path=args.out, full_page=args.full)
        browser.close()


if __name__ == "__main__":
    main()
