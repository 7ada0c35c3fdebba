"""One comment that is kept up to date, on whatever service has threads of comments."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 20
PAGE = 100
MOST_PAGES = 30
LONGEST = 65_000
"""Characters; GitHub takes 65,536."""


class Refused(Exception):
    """The comment could not be written, and why."""


@dataclass(frozen=True)
class Thread:
    """The comments of one change, as a service's API has them."""

    service: str
    all: str
    """Address that lists them (and takes a new one)."""
    one: str
    """Address of which ``/ID`` is one of them."""
    update: str
    """Method that changes one."""
    headers: Mapping[str, str]
    forbidden: str
    """What to do about a 403."""


def keep(thread: Thread, text: str, mark: str) -> Mapping[str, Any]:
    """Write the comment that begins with ``mark``, or update it; returns what the service said.

    Raises Refused.
    """
    body = {"body": text if len(text) <= LONGEST else text[:LONGEST] + "\n\n… cut short."}
    known = _find(thread, mark)
    if known is None:
        found = _call(thread, "POST", thread.all, body)
    else:
        found = _call(thread, thread.update, f"{thread.one}/{known}", body)
    return found if isinstance(found, dict) else {}


def _find(thread: Thread, mark: str) -> int | None:
    for page in range(1, MOST_PAGES + 1):
        found = _call(thread, "GET", f"{thread.all}?per_page={PAGE}&page={page}", None)
        if not isinstance(found, list):
            return None
        for one in found:
            # Somebody who quotes it does not begin with it.
            if str(one.get("body") or "").startswith(mark):
                return int(one["id"])
        if len(found) < PAGE:
            return None
    return None


def _call(thread: Thread, method: str, address: str, body: Mapping[str, str] | None) -> Any:
    headers = {**thread.headers, "Content-Type": "application/json", "User-Agent": "shipworthy"}
    data = None if body is None else json.dumps(body).encode("utf-8")
    request = urllib.request.Request(address, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        hint = f" ({thread.forbidden})" if error.code in (401, 403) else ""
        raise Refused(f"{thread.service} answered {error.code} to {method}{hint}") from error
    except (OSError, ValueError) as error:
        raise Refused(f"{thread.service} cannot be reached: {error}") from error
