"""Servers of other projects as processes on loopback, for tests that ask a real one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str | Path],
    log: Path,
    *,
    port: int,
    health: str = "/health",
    env: Mapping[str, str] | None = None,
    patience_s: float = 300.0,
) -> Iterator[str]:
    """The address of a server that has come up; it is ended with its children afterwards."""
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        _await(process, url + health, log, patience_s)
        yield f"{url}/v1"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The group: vLLM's engine is a process of its own. It may have ended by itself.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(process: subprocess.Popen[bytes], url: str, log: Path, patience_s: float) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + patience_s:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    tail = log.read_text("utf-8", "replace")[-3000:]
    pytest.fail(f"{url} did not come up (exit code {process.poll()}):\n{tail}")
