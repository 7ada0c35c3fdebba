"""The pytest plugin: ``pytest suites/`` collects each ``suite.py``, an item a rule.

In ordinary tests: ``assert_ships(run, rules)``, the decorator ``@evaluate(samples, variants)``, and
the fixtures ``harness_run`` and ``harness_run_suite``. How to use them: ``docs/how-to/pytest.md``.
Without a suite that is collected the plugin does nothing, and no model is loaded by collecting.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin import options
from harness.pytest_plugin.evaluate import Evaluation, EvaluationNode, evaluate
from harness.pytest_plugin.files import SuiteFile, is_suite, subject_of
from harness.pytest_plugin.items import TOLD, Ruling
from harness.pytest_plugin.outcomes import Ruled, marks
from harness.pytest_plugin.ships import NotShipped, assert_ships, opened_run
from harness.pytest_plugin.subjects import OPTIONS, SEEN, SHARED, SUBJECTS, measure, once

if TYPE_CHECKING:
    from harness.store.runs import Run

__all__ = ["NotShipped", "assert_ships", "evaluate"]

_RUNS = pytest.StashKey[dict[str, str]]()
"""Name of each subject and the folder of its run, for the summary."""
_MARKERS = (
    "harness: an item that the harness judges (a rule, a preflight, an audit)",
    "harness_rule: a rule of a suite",
    "harness_check: a preflight or an audit of a suite",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    config.stash[OPTIONS] = options.read(config)
    config.stash[SEEN] = {}
    config.stash[SUBJECTS] = {}
    config.stash[_RUNS] = {}
    told = getattr(config, "workerinput", {}).get("harness_shared")
    if told is not None:
        config.stash[SHARED] = Path(told)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: every worker is told the one folder in which they share a run."""
    stash = node.config.stash
    if SHARED not in stash:
        stash[SHARED] = Path(tempfile.mkdtemp(prefix="harness-pytest-"))
    node.workerinput["harness_shared"] = str(stash[SHARED])


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash.get(SHARED, None)
    if shared is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(shared, ignore_errors=True)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    asked_for = parent.session.isinitpath(file_path)
    patterns = parent.config.getini("python_files")
    if asked_for or any(fnmatch(file_path.name, pattern) for pattern in patterns):
        # pytest takes such a file for a module of tests, and asks below what to make of it.
        return None
    if is_suite(file_path, asked_for=False):
        return SuiteFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    if is_suite(module_path, asked_for=parent.session.isinitpath(module_path)):
        return SuiteFile.from_parent(parent, path=module_path)
    return None


def pytest_pycollect_makeitem(
    collector: pytest.Collector, name: str, obj: object
) -> Iterable[pytest.Collector] | None:
    if isinstance(obj, Evaluation):
        return [EvaluationNode.from_parent(collector, name=name, evaluation=obj)]
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, Ruling):
        error = None if call.excinfo is None else call.excinfo.value
        if isinstance(error, Ruled):
            vars(report)["harness_status"] = error.status.value
        if call.excinfo is not None and isinstance(error, TOLD):
            # pytest itself asks the item for its words only where the test's call failed.
            report.longrepr = item.repr_failure(call.excinfo)
        if item.subject.folder is not None:
            vars(report)["harness_run"] = (item.subject.name, item.subject.folder)
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    status = getattr(report, "harness_status", None)
    return marks(status) if status is not None and report.failed else None


class _Summary:
    """On the process that reports: where the runs are, and what is neither right nor wrong."""

    def __init__(self, config: pytest.Config) -> None:
        self._runs = config.stash[_RUNS]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name, folder = getattr(report, "harness_run", None) or (None, None)
        if name is not None and folder is not None:
            self._runs[name] = folder


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Summary(session.config), "harness-summary")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for category, title in (("inconclusive", "INCONCLUSIVE"), ("invalid", "INVALID")):
        reports = terminalreporter.stats.get(category, [])
        if reports:
            terminalreporter.write_sep("=", title)
        for report in reports:
            terminalreporter.write_sep("_", report.head_line or report.nodeid)
            terminalreporter.write_line(str(report.longrepr))
    for name, folder in config.stash[_RUNS].items():
        terminalreporter.write_line(f"{name}: run {folder}")


# --------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="session")
def harness_run(request: pytest.FixtureRequest) -> Run:
    """The run that ``--harness-run`` names; the test is skipped where none is given."""
    given = request.config.stash[OPTIONS].runs
    if not given:
        pytest.skip("no --harness-run is given")
    return opened_run(given[0])


@pytest.fixture(scope="session")
def harness_run_suite(request: pytest.FixtureRequest) -> Callable[..., Run]:
    """A function from a suite's path to its run, measured once a session (also under xdist).

    Keywords are fields of ``pipeline.Settings`` in place of the session's options; a stored run
    (``--harness-run``) is used where they are not given.
    """
    from harness import fingerprints, scorers
    from harness.suites import load_suite

    def run_suite(path: str | Path, **changes: Any) -> Run:
        suite = load_suite(path, check_scorer=scorers.resolve)
        config = request.config
        if not changes:
            return subject_of(config, suite).run()
        name = f"{suite.name}-{fingerprints.of(changes)[:12]}"
        told = once(config, name, lambda: {"folder": str(measure(config, suite, **changes))})
        return opened_run(told["folder"])

    return run_suite
