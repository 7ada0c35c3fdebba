"""A suite whose variants are on a scripted server, so that a real run takes a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# pytester forgets what a session imported. numpy cannot be loaded twice in a process, and of what
# openai asks through a second copy would raise errors that the first does not know.
import numpy  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import scipy.special  # noqa: F401
from served_project import write_suite


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    pytest.importorskip("openai", reason="the extra 'server' is not installed")
    from scripted_server import Said, choice, serving

    from harness.endpoints import Endpoint

    def answers(body: Mapping[str, Any], before: int) -> Said:
        """The adapter is right; the base is right on every second question."""
        question = body["messages"][-1]["content"]
        right = body["model"] == "tuned" or question[-1] in "02468"
        return choice("yes" if right else "no")

    with serving(answers) as script:
        # With it all that openai loads for its first request.
        Endpoint(script.url).get("/models")
        yield script


@pytest.fixture(scope="session")
def stored(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of that suite."""
    from harness import pipeline
    from harness.suites import load_suite

    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setenv("NO_PROXY", "127.0.0.1")
        suite = load_suite(write_suite(folder / "suites" / "served", server.url))
        return pipeline.run(suite, pipeline.Settings(out=folder / "run"))


@pytest.fixture
def suites(pytester: pytest.Pytester, server: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The suite in a project of its own."""
    monkeypatch.setenv("HARNESS_CACHE", str(pytester.path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return write_suite(pytester.path / "suites" / "served", server.url).parent
