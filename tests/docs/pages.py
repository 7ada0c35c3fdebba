"""Commands in the documentation: a ``console`` block's lines that begin with ``$``.

The line above a block may say ``<!-- not run: REASON -->``, or ``<!-- exits: 0, 3 -->`` where
another exit code than 0 is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "baselines" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE = re.compile(
    r"^(?: *<!-- (?P<said>[^\n]*?) -->\n)?"
    r" *```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_OURS = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:harness|pytest) \S")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    kind: str
    said: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def reason(self) -> str | None:
        """Why it is not run; None: it is."""
        found = re.fullmatch(r"not run: (.+)", self.said)
        return found[1] if found else None

    @property
    def exits(self) -> set[int]:
        found = re.fullmatch(r"exits: ([\d, ]+)", self.said)
        return {int(code) for code in found[1].split(",")} if found else {0}

    @property
    def commands(self) -> list[str]:
        """A line that ends in a backslash goes on in the next."""
        if self.kind != "console":
            return []
        joined = self.text.replace("\\\n", " ")
        return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]

    @property
    def names_commands(self) -> bool:
        """Whether a reader would take a line of it for a command of ours."""
        shell = self.kind in ("console", "sh", "bash", "shell", "")
        return shell and any(_OURS.match(line) for line in self.text.splitlines())


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match["kind"], match["said"] or "", dedent(match["text"]))
