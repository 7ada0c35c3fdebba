"""``harness ci``: outputs, summary, annotations, and one comment on a real (local) API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ci_runs import write

from harness.cli import _ci_comment, _ci_github, _ci_text
from harness.report.write import material_of
from harness.store.runs import read_run
from harness.types import RuleResult, Status, Verdict

SNAPSHOTS = Path(__file__).parent / "snapshots"


def environment(folder: Path, **more: str) -> dict[str, str]:
    files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
    named = {name: str(folder / file) for name, file in files.items()}
    return {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "me/desk", **named, **more}


def event(folder: Path, head: str | None = "me/desk") -> str:
    repo = None if head is None else {"full_name": head}
    file = folder / "event.json"
    file.write_text(json.dumps({"pull_request": {"number": 7, "head": {"repo": repo}}}), "utf-8")
    return str(file)


class Comments:
    """As GitHub has them."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {1: "I quote: <!-- harness:desk --> in the middle"}
        self.calls: list[str] = []
        self.status = 200


@contextmanager
def github(comments: Comments) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(comments.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> str:
            sent = self.headers["Authorization"] or self.headers["PRIVATE-TOKEN"]
            assert sent.removeprefix("Bearer ") == "secret"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return str(body["body"])

        def do_GET(self) -> None:
            comments.calls.append("GET")
            # Two pages: a full one of others', and ours.
            page = [{"id": 1000 + i, "body": "x"} for i in range(100)]
            second = [{"id": i, "body": text} for i, text in comments.texts.items()]
            self._answer(page if self.path.endswith("page=1") else second)

        def do_POST(self) -> None:
            comments.calls.append(f"POST {self.path}")
            comments.texts[50] = self._body()
            self._answer({"id": 50, "html_url": "http://pr/7#50"})

        def do_PATCH(self) -> None:
            comments.calls.append(f"{self.command} {self.path}")
            comments.texts[int(self.path.rpartition("/")[2])] = self._body()
            self._answer({"html_url": "http://pr/7#50"})

        do_PUT = do_PATCH

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_one_comment_is_written_and_then_updated(tmp_path: Path, harness_cli: Any) -> None:
    comments = Comments()
    ships, holds = write(tmp_path / "ships"), write(tmp_path / "holds", gain=-0.2)
    with github(comments) as url:
        env = environment(
            tmp_path,
            GITHUB_API_URL=url,
            GITHUB_TOKEN="secret",
            GITHUB_EVENT_PATH=event(tmp_path),
            NO_PROXY="127.0.0.1",
        )
        first = harness_cli("ci", holds, "--suite-file", "suites/desk/suite.py", env=env)
        assert first.returncode == 1, first.stderr
        second = harness_cli("ci", ships, env=env)
        assert second.returncode == 0, second.stderr
    assert comments.calls == [
        "GET",
        "GET",
        "POST /repos/me/desk/issues/7/comments",
        "GET",
        "GET",
        "PATCH /repos/me/desk/issues/comments/50",
    ]
    assert "SHIP" in comments.texts[50]
    assert comments.texts[1].startswith("I quote")
    assert "comment  http://pr/7#50" in second.stdout
    (error,) = [line for line in first.stdout.splitlines() if line.startswith("::error")]
    assert error.startswith("::error file=suites/desk/suite.py,title=HOLD%3A m superior::triage vs")
    lines = (tmp_path / "output").read_text("utf-8").splitlines()
    assert lines[:3] == ["verdict=HOLD", "recommendation=prompt", "exit-code=1"]
    assert lines[3:] == ["verdict=SHIP", "recommendation=tuned", "exit-code=0"]
    assert (tmp_path / "summary").read_text("utf-8").count("\n## ") == 2


@pytest.mark.parametrize(
    ("head", "token", "status", "said"),
    [
        ("you/desk", "secret", 200, "comes from a fork"),
        (None, "secret", 200, "comes from a fork"),
        ("me/desk", "", 200, "GITHUB_TOKEN is not set"),
        ("me/desk", "secret", 403, "GitHub answered 403"),
    ],
)
def test_without_the_right_to_comment_the_verdict_stands(
    tmp_path: Path, harness_cli: Any, head: str | None, token: str, status: int, said: str
) -> None:
    comments = Comments()
    comments.status = status
    run = write(tmp_path / "run")
    with github(comments) as url:
        env = environment(
            tmp_path,
            GITHUB_API_URL=url,
            GITHUB_TOKEN=token,
            GITHUB_EVENT_PATH=event(tmp_path, head),
            NO_PROXY="127.0.0.1",
        )
        done = harness_cli("ci", run, env=env)
    assert done.returncode == 0, done.stderr
    assert f"No comment was written: {said}" in done.stdout.replace("the pull request ", "")
    assert "SHIP" in (tmp_path / "summary").read_text("utf-8")
    assert not [call for call in comments.calls if call.startswith(("POST", "PATCH"))]


def test_gitlab_has_one_note_too(tmp_path: Path, harness_cli: Any) -> None:
    comments = Comments()
    run = write(tmp_path / "run")
    with github(comments) as url:
        env = {
            "GITHUB_ACTIONS": "",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": url,
            "CI_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "3",
            "HARNESS_GITLAB_TOKEN": "secret",
            "NO_PROXY": "127.0.0.1",
        }
        for _ in range(2):
            done = harness_cli("ci", run, env=env)
            assert done.returncode == 0, done.stderr
        assert [call for call in comments.calls if call != "GET"] == [
            "POST /projects/3/merge_requests/7/notes",
            "PUT /projects/3/merge_requests/7/notes/50",
        ]
        fork = harness_cli("ci", run, env={**env, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9"})
        assert "comes from a fork" in fork.stdout
        branch = harness_cli("ci", run, env={**env, "CI_MERGE_REQUEST_IID": ""})
        assert "omment" not in branch.stdout
    assert "SHIP" in comments.texts[50]


def test_other_events_have_a_summary_and_no_comment(tmp_path: Path, harness_cli: Any) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"ref": "refs/heads/main"}', "utf-8")
    done = harness_cli(
        "ci", write(tmp_path / "run"), env=environment(tmp_path, GITHUB_EVENT_PATH=str(file))
    )
    assert done.returncode == 0
    assert "comment" not in done.stdout
    assert "SHIP" in (tmp_path / "summary").read_text("utf-8")


def test_elsewhere_the_markdown_is_printed_and_files_are_written(
    tmp_path: Path, harness_cli: Any
) -> None:
    run = write(tmp_path / "few", n=10)
    done = harness_cli(
        "ci", run, "--junit", "j.xml", "--summary", "s.md", env={"GITHUB_ACTIONS": ""}
    )
    assert done.returncode == 4
    assert "INVALID: desk" in done.stdout
    assert (tmp_path / "s.md").read_text("utf-8").strip() == done.stdout.strip()
    root = ET.parse(tmp_path / "j.xml").getroot()
    assert len(list(root.iter("error"))) == 2
    assert not list(root.iter("failure"))


def test_the_candidate_is_held_against_its_blessed_self(tmp_path: Path, harness_cli: Any) -> None:
    then, now = write(tmp_path / "then", gain=0.5), write(tmp_path / "now", gain=0.3)
    env = {"GITHUB_ACTIONS": ""}
    told = harness_cli("ci", now, "--baseline", then, env=env)
    assert told.returncode == 0, told.stderr
    assert "Against the blessed baseline" in told.stdout
    assert "| triage | m | -0.2" in told.stdout
    dropped = harness_cli("ci", now, "--baseline", then, "--max-drop", "0.05", env=env)
    assert dropped.returncode == 1
    assert "Than the baseline: worse (HOLD)" in dropped.stdout
    allowed = harness_cli("ci", now, "--baseline", then, "--max-drop", "0.3", env=env)
    assert allowed.returncode == 0, allowed.stdout
    fewer = write(tmp_path / "fewer", n=40)
    part = harness_cli("ci", fewer, "--baseline", then, "--max-drop", "0.3", env=env)
    assert part.returncode == 0, part.stdout
    assert "| 40 |" in part.stdout.partition("Against")[2]
    alone = harness_cli("ci", now, "--max-drop", "0.3", env=env)
    assert alone.returncode == 2


# ---------------------------------------------------------------------------- the text


def row(status: Status, **changes: Any) -> RuleResult:
    values: dict[str, Any] = {
        "metric": "exact_match",
        "role": "superior",
        "task": "triage",
        "slice": None,
        "versus": "few_shot",
        "margin": 0.02,
        "alpha": 0.05,
        "ci_level": 0.9,
        "estimate": 0.0412,
        "ci_low": 0.0231,
        "ci_high": 0.0593,
        "n": 1200,
        "n_unscored": 3,
        "status": status,
        "gating": True,
        "reason": "the interval lies above the margin",
    }
    return RuleResult(**{**values, **changes})


def test_the_comment_is_this_text(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "run", created="2026-01-01T00:00:00+00:00")
    done = harness_cli("ci", run, "--link", "report=https://ci/1", env={"GITHUB_ACTIONS": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (SNAPSHOTS / "comment.md").read_text("utf-8").strip()


def test_a_name_in_the_comment_is_inert(tmp_path: Path, harness_cli: Any) -> None:
    run = write(tmp_path / "run", suite="<b>@all</b> [x](http://evil)")
    done = harness_cli("ci", run, "--link", "a[b]=https://ci/1", env={"GITHUB_ACTIONS": ""})
    body = done.stdout.partition("-->")[2]
    assert not [sign for sign in ("<b>", "@all", "[x](", "://evil") if sign in body]
    assert "[a\\[b\\]](https://ci/1)" in body


def test_a_comment_is_never_too_long(tmp_path: Path) -> None:
    warnings = [f"{i} " + "x" * 250 for i in range(400)]
    held, material = material_of(read_run(write(tmp_path / "run", warnings=warnings)))
    text = _ci_text.markdown("desk", material, held, links=[("report", "https://ci/1")])
    assert 50_000 < len(text) < _ci_comment.LONGEST
    assert "more lines are in the report." in text
    assert text.endswith("[report](https://ci/1)")


def test_an_output_cannot_add_another() -> None:
    assert _ci_github.outputs({"verdict": "SHIP\nexit-code=0"}) == "verdict=SHIP exit-code=0\n"


def test_an_annotation_cannot_begin_a_command() -> None:
    bad = Verdict(Status.HOLD, None, "a", (row(Status.HOLD, reason="x\n::set-output name=v::1"),))
    (line,) = _ci_github.notes(bad, "")
    assert "\n" not in line
    assert "%0A::set-output" in line
