"""A tab of a headless Chromium that remembers what went wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def line_words(page: Any, selector: str) -> list[str]:
    """The texts of one column, in the order of the lines."""
    return list(
        page.evaluate(
            "selector => [...document.querySelectorAll('.line')]"
            ".sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
            ".map(line => line.querySelector(selector)?.innerText)",
            selector,
        )
    )


class Tab:
    """A page that remembers what it asked for and what it complained about."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.messages: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.address = file.resolve().as_uri()

    def open(self, fragment: str = "") -> Tab:
        self.page.goto(self.address + fragment)
        self.page.wait_for_load_state()
        if self.page.locator("#browser").count():
            self.page.wait_for_selector("html[data-ready]", state="attached")
        return self

    @property
    def found(self) -> str:
        return str(self.page.inner_text("#found"))

    def counts(self) -> dict[str, int]:
        labels = self.page.locator("#show label:visible").all_inner_texts()
        pairs = (text.split() for text in labels)
        return {word: int(n.replace(",", "")) for word, n in pairs}
