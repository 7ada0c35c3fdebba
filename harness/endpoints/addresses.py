"""What recipes and judges say of a server, held to what can be true and may be shown."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit


def wrong_url(url: Any) -> str | None:
    """Why ``base_url`` cannot be ``url``; None: it can."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        told = bool(parts.username or parts.password or parts.query or parts.fragment)
    except (ValueError, TypeError, AttributeError):
        known, told = False, False
    if told:
        return (
            "base_url must have no user, password or query: it is shown in reports. Put the key "
            "into an environment variable and name that in api_key_env."
        )
    if not known:
        return f"base_url must be an address like 'http://localhost:8000/v1', got {url!r}."
    return None


def wrong_key_name(name: Any) -> str | None:
    """Why ``api_key_env`` cannot be ``name``, without saying it: it may be the key itself."""
    if name is None or (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name)):
        return None
    return "api_key_env must be the name of an environment variable, not a key."
