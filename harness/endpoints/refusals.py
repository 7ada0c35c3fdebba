"""What a refusal says: the server's own words, and how long it asks to be left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WISH_S = 120.0
"""A server that wishes to be left alone for longer (a daily quota) has refused the request."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A try that may be tried again."""

    reason: str
    status: int | None = None
    wish_s: float | None = None
    """Seconds that the server asks to be left alone."""
    unreachable: bool = False

    @property
    def hopeless(self) -> bool:
        return self.wish_s is not None and self.wish_s > LONGEST_WISH_S


def said(error: Any) -> str:
    """The server's own words: OpenAI's form of an error, FastAPI's, or the text."""
    try:
        body = json.loads(error.response.content)
    except ValueError:
        return str(error.response.text) or "no text"
    for key in ("error", "detail", "message"):
        if isinstance(body, dict) and body.get(key):
            inner = body[key]
            if isinstance(inner, dict):
                code = str(inner.get("code") or inner.get("type") or "")
                message = str(inner.get("message") or inner)
                return message if not code or code in message else f"{message} ({code})"
            return inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    return json.dumps(body, ensure_ascii=False)


def wish(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3: a number or a date); None where there is none."""
    said = headers.get("retry-after")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
