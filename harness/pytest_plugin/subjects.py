"""What is judged in a session: a suite, and the one run of it that all its items look at."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, InvalidRun
from harness.pytest_plugin.matching import differences
from harness.pytest_plugin.options import Options
from harness.pytest_plugin.outcomes import Ruled
from harness.types import Rule, RuleResult, RuleSet, Status, Suite

if TYPE_CHECKING:
    from harness.store.runs import Run

OPTIONS = pytest.StashKey[Options]()
SHARED = pytest.StashKey[Path]()
"""Folder in which the processes of one session (xdist) share what was measured; else absent."""
SEEN = pytest.StashKey[dict[str, Path]]()
"""Name of each suite that was collected, and its file."""
SUBJECTS = pytest.StashKey[dict[str, "Subject"]]()


class Broken(Exception):
    """Nothing could be measured, by a mistake of the caller's (exit code 2 elsewhere)."""


@dataclass
class Subject:
    """A suite (or a decorated function), its rules, and how its run comes to be."""

    name: str
    rules: RuleSet | None
    make: Callable[[], Path]
    """Measures, or finds the stored run; returns its folder. Raises HarnessError."""
    config: pytest.Config
    suite: Suite | None = None
    """To hold a stored run against; None: the run was made here."""
    key: str | None = None
    """What tells it from every other subject; None: its name."""
    _told: Mapping[str, Any] | None = None
    _run: Run | None = None
    _unfit: Ruled | Broken | None = None

    @property
    def folder(self) -> str | None:
        """Of the run, once it is there."""
        return None if self._told is None else self._told.get("folder")

    def run(self) -> Run:
        """The run. Raises Ruled (INVALID) for one that supports nothing, Broken for none."""
        if self._told is None:
            self._told = once(self.config, self.key or self.name, self._made)
        if "error" in self._told:
            if self._told["invalid"]:
                raise Ruled(Status.INVALID, f"INVALID: {self._told['error']}")
            raise Broken(self._told["error"])
        if self._unfit is not None:
            raise self._unfit
        if self._run is None:
            try:
                self._run = self._read(Path(self._told["folder"]))
            except (Ruled, Broken) as error:
                self._unfit = error
                raise
        return self._run

    def _made(self) -> dict[str, Any]:
        try:
            return {"folder": str(self.make())}
        except HarnessError as error:
            return {"error": str(error), "invalid": isinstance(error, InvalidRun)}

    def _read(self, folder: Path) -> Run:
        from harness.store.runs import read_run

        try:
            run = read_run(folder)
        except HarnessError as error:
            raise Broken(str(error)) from error
        wrong = [f"{name} changed after the run was written" for name in run.tampered]
        if self.suite is not None:
            wrong += differences(self.suite, run)
        if wrong:
            told = "\n".join(f"  {line}" for line in wrong)
            raise Ruled(
                Status.INVALID,
                f"INVALID: the run '{folder}' does not match suite '{self.name}'.\n{told}\n"
                "Measure again (without --harness-run), or restore what changed.",
            )
        return run

    def rows(self, rule: Rule) -> list[RuleResult]:
        """The rows of the verdict for one rule. Raises as ``run``."""
        from harness import gate

        assert self.rules is not None
        run = self.run()
        try:
            verdict = gate.decide(run, replace(self.rules, rules=(rule,)))
        except HarnessError as error:
            raise Broken(str(error)) from error
        rows = list(verdict.rules)
        if any(row.metric != rule.metric for row in rows):
            # A staged run that stopped early: no adapter is needed, whatever the rule.
            raise Ruled(verdict.status, "\n".join([verdict.status.value, *verdict.warnings]))
        return rows


def once(
    config: pytest.Config, name: str, make: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What ``make`` returns (JSON), made by the first process of the session that asks."""
    shared = config.stash.get(SHARED, None)
    if shared is None:
        return make()
    from filelock import FileLock

    file = shared / f"{name}.json"
    with FileLock(f"{file}.lock"):
        if file.is_file():
            found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
            return found
        made = make()
        file.write_text(json.dumps(made), "utf-8")
        return made


def measure(config: pytest.Config, suite: Suite, **changes: Any) -> Path:
    """Measure a suite now, as ``harness run`` does; returns the run's folder.

    ``changes``: fields of ``pipeline.Settings`` in place of the session's options.
    """
    from harness import pipeline

    options = config.stash[OPTIONS]
    chosen: dict[str, Any] = {
        "variants": options.variants,
        "limit": options.limit,
        "seed": options.seed,
        "device": options.device,
        "command": ["pytest", *sys.argv[1:]],
    }
    return pipeline.run(suite, pipeline.Settings(**(chosen | changes)), Stages(config))


def stored(config: pytest.Config, name: str) -> Path:
    """The run of ``--harness-run`` for the suite of this name.

    A single run is taken as it is, so that what differs can be told. Raises InvalidRun where
    none of several is the suite's.
    """
    from harness.store.runs import MANIFEST, latest, read_manifest

    given = config.stash[OPTIONS].runs
    folders = [latest(run) for run in given]
    named = [latest(run / name) for run in given if (run / name).is_dir()]
    by_name = [f for f in named if (f / MANIFEST).is_file()]
    whole = [f for f in folders if (f / MANIFEST).is_file()]
    by_name += [f for f in whole if read_manifest(f).get("suite") == name]
    if by_name:
        return by_name[0]
    if len(whole) == 1 and len(config.stash[SEEN]) <= 1:
        return whole[0]
    told = ", ".join(f"'{run}'" for run in given)
    raise InvalidRun(
        f"No run of suite '{name}' among {told}. Give one with --harness-run, or a folder that "
        f"has one under '{name}'."
    )


class Stages:
    """A ``pipeline.Progress`` that writes a line a stage past pytest's capture."""

    def __init__(self, config: pytest.Config) -> None:
        self._reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._capture = config.pluginmanager.get_plugin("capturemanager")

    def stage(self, title: str, total: int | None = None) -> None:
        self._write(title if total is None else f"{title} ({total:,})")

    def advance(self, units: int = 1, note: str = "") -> None:
        pass

    def say(self, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        # Without a terminal reporter (an xdist worker) nobody would read it.
        if self._reporter is None or self._reporter.verbosity < 0:
            return
        if self._capture is None:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"  {text}")
            return
        with self._capture.global_and_fixture_disabled():
            self._reporter.ensure_newline()
            self._reporter.write_line(f"  {text}")
