"""GitLab CI: one note on the merge request that is updated. JUnit and report are artefacts."""

from __future__ import annotations

import os

from harness.cli._ci_comment import Refused, Thread, keep

TOKEN = "HARNESS_GITLAB_TOKEN"
"""A job's own token cannot write notes: a project access token with the scope `api` can."""


def active() -> bool:
    return os.environ.get("GITLAB_CI") == "true"


def merge_request() -> str | None:
    """Its number; None: the pipeline is about none."""
    return os.environ.get("CI_MERGE_REQUEST_IID") or None


def comment(text: str, mark: str, number: str) -> str:
    """Write the note that begins with ``mark``, or update it; returns the merge request's address.

    Raises Refused for a fork, without a token, and where GitLab does not let us.
    """
    project = os.environ.get("CI_PROJECT_ID", "")
    if os.environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", project) != project:
        raise Refused("the merge request comes from a fork, which is given no token")
    token = os.environ.get(TOKEN)
    if not token:
        raise Refused(f"{TOKEN} is not set (a project access token with the scope 'api')")
    api = os.environ.get("CI_API_V4_URL", "https://gitlab.com/api/v4")
    notes = f"{api}/projects/{project}/merge_requests/{number}/notes"
    headers = {"PRIVATE-TOKEN": token}
    keep(
        Thread("GitLab", notes, notes, "PUT", headers, "the token needs the scope 'api'"),
        text,
        mark,
    )
    return f"{os.environ.get('CI_MERGE_REQUEST_PROJECT_URL', '')}/-/merge_requests/{number}"
