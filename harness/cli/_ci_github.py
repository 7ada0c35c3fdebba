"""GitHub Actions: outputs, step summary, annotations, and one comment that is updated."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.types import RuleResult, Status, Verdict

TIMEOUT_S = 20
PAGE = 100
MOST_PAGES = 30
MOST_ANNOTATIONS = 10
"""GitHub shows no more of one step."""
LONGEST = 65_000
"""Characters of a comment."""


def active() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def append(variable: str, text: str) -> None:
    """To the file that GitHub named in ``variable``; nothing where it named none."""
    name = os.environ.get(variable)
    if name:
        with Path(name).open("a", encoding="utf-8", newline="\n") as file:
            file.write(text.rstrip("\n") + "\n")


def outputs(values: Mapping[str, str]) -> str:
    """Lines of ``$GITHUB_OUTPUT``. A value never holds a line break, so none can add an output."""
    return "".join(f"{key}={' '.join(value.split())}\n" for key, value in values.items())


def notes(verdict: Verdict, file: str) -> Iterator[str]:
    """Workflow commands: an error for each rule that stops the candidate, at the suite's file."""
    stopped = [row for row in verdict.rules if row.status is not Status.SHIP]
    for row in stopped[:MOST_ANNOTATIONS]:
        level = "error" if row.gating else "notice"
        yield _command(level, file, f"{row.status.value}: {row.metric} {row.role}", _said(row))
    if not verdict.rules and verdict.status is not Status.SHIP:
        yield _command("error", file, verdict.status.value, "; ".join(verdict.warnings))


def _said(row: RuleResult) -> str:
    where = " ".join(x for x in (row.task, row.slice, row.versus and f"vs {row.versus}") if x)
    return f"{where}: {row.reason}"


def _command(level: str, file: str, title: str, text: str) -> str:
    def escaped(value: str, more: str = "") -> str:
        for sign in "%\r\n" + more:
            value = value.replace(sign, f"%{ord(sign):02X}")
        return value

    place = f"file={escaped(file, ':,')}," if file else ""
    return f"::{level} {place}title={escaped(title, ':,')}::{escaped(text)}"


@dataclass(frozen=True)
class PullRequest:
    """The one that the event is about."""

    repository: str
    number: int
    fork: bool
    """Its branch is in another repository: the token of its jobs can only read."""


def pull_request() -> PullRequest | None:
    """None: the event is about none."""
    name, repository = os.environ.get("GITHUB_EVENT_PATH"), os.environ.get("GITHUB_REPOSITORY")
    if not name or not repository:
        return None
    try:
        event = json.loads(Path(name).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = event.get("pull_request") if isinstance(event, dict) else None
    if not isinstance(found, dict) or "number" not in found:
        return None
    # The head's repository is null where it was deleted meanwhile.
    head = ((found.get("head") or {}).get("repo") or {}).get("full_name")
    return PullRequest(repository, int(found["number"]), head != repository)


class Refused(Exception):
    """The comment could not be written, and why."""


def comment(text: str, mark: str, pull: PullRequest) -> str:
    """Write the comment that begins with ``mark``, or update it; returns its address.

    Raises Refused for a fork, without a token, and where GitHub does not let us.
    """
    if pull.fork:
        raise Refused("the pull request comes from a fork, whose token can only read")
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise Refused("GITHUB_TOKEN is not set")
    body = {"body": text if len(text) <= LONGEST else text[:LONGEST] + "\n\n… cut short."}
    issue = f"/repos/{pull.repository}/issues"
    known = _find(f"{issue}/{pull.number}/comments", mark, token)
    if known is not None:
        return _address(_call("PATCH", f"{issue}/comments/{known}", token, body))
    return _address(_call("POST", f"{issue}/{pull.number}/comments", token, body))


def _find(path: str, mark: str, token: str) -> int | None:
    for page in range(1, MOST_PAGES + 1):
        found = _call("GET", f"{path}?per_page={PAGE}&page={page}", token, None)
        if not isinstance(found, list):
            return None
        for one in found:
            # Somebody who quotes it does not begin with it.
            if str(one.get("body") or "").startswith(mark):
                return int(one["id"])
        if len(found) < PAGE:
            return None
    return None


def _call(method: str, path: str, token: str, body: Mapping[str, str] | None) -> Any:
    address = os.environ.get("GITHUB_API_URL", "https://api.github.com") + path
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "User-Agent": "shipworthy",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    data = None if body is None else json.dumps(body).encode("utf-8")
    request = urllib.request.Request(address, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        hint = " (give the job `permissions: pull-requests: write`)" if error.code == 403 else ""
        raise Refused(f"GitHub answered {error.code} to {method} {path}{hint}") from error
    except (OSError, ValueError) as error:
        raise Refused(f"GitHub cannot be reached: {error}") from error


def _address(found: Any) -> str:
    return str(found.get("html_url", "")) if isinstance(found, dict) else ""
