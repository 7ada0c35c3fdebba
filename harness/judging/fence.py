"""Judged text is data: it stands between lines that it cannot know, and so cannot close."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

_CONTROL = re.compile(
    r"<(?=\|)|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|im_start|im_end)>)"
    r"|\[(?=/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS)\])",
    re.IGNORECASE,
)
BREAK = "\u200b"
"""Zero width space: put into what servers' tokenizers would read as the end of a turn."""


def nonce(texts: Iterable[str]) -> str:
    """64 random bits in hexadecimal that occur in none of the texts."""
    texts = list(texts)
    while True:
        found = secrets.token_hex(8)
        if not any(found in text for text in texts):
            return found


def fenced(title: str, text: str, mark: str) -> str:
    """``text`` between two lines with ``mark``, with the control tokens of chat templates broken:
    no other change."""
    return f"<<<{title} {mark}>>>\n{disarmed(text)}\n<<<END OF {title} {mark}>>>"


def disarmed(text: str) -> str:
    """``text`` in which nothing is a control token of a common chat template (``<|im_end|>``,
    ``</s>``, ``[INST]``): tokenizers recognise these inside a message, too."""
    return _CONTROL.sub(lambda found: found[0] + BREAK, text)
