"""GitHub Actions: outputs, step summary, annotations, and one comment that is updated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.cli._ci_comment import Refused, Thread, keep
from harness.types import RuleResult, Status, Verdict

MOST_ANNOTATIONS = 10
"""GitHub shows no more of one step."""


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


def comment(text: str, mark: str, pull: PullRequest) -> str:
    """Write the comment that begins with ``mark``, or update it; returns its address.

    Raises Refused for a fork, without a token, and where GitHub does not let us.
    """
    if pull.fork:
        raise Refused("the pull request comes from a fork, whose token can only read")
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise Refused("GITHUB_TOKEN is not set")
    issues = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    issues += f"/repos/{pull.repository}/issues"
    thread = Thread(
        "GitHub",
        f"{issues}/{pull.number}/comments",
        f"{issues}/comments",
        "PATCH",
        {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        "give the job `permissions: pull-requests: write`",
    )
    found = keep(thread, text, mark)
    return str(found.get("html_url", ""))
