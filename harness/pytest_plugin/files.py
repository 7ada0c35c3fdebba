"""``suite.py`` as a file of tests: loaded, named, and nothing measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.checking import Named, audits, no_rules, preflights
from harness.pytest_plugin.items import Check, Node, rule_items
from harness.pytest_plugin.naming import named
from harness.pytest_plugin.subjects import OPTIONS, SEEN, SUBJECTS, Subject, measure, stored
from harness.types import Suite

NAME = "suite.py"
_OURS = re.compile(rb"\bharness\b")


def is_suite(path: Path, *, asked_for: bool) -> bool:
    """Whether to execute the file: its name is common, so it must speak of the harness, unless
    it was named on the command line."""
    if path.name != NAME:
        return False
    try:
        return asked_for or _OURS.search(path.read_bytes()) is not None
    except OSError:
        return False


class SuiteFile(pytest.File):
    """One suite: rules by task, preflights, audits."""

    def collect(self) -> Iterable[Any]:
        from harness import scorers
        from harness.suites import load_suite

        try:
            suite = load_suite(self.path, check_scorer=scorers.resolve)
            found = named(suite)
        except HarnessError as error:
            # A suite that cannot be read must stop the session: no -k can deselect it.
            raise self.CollectError(str(error)) from error
        self._refuse_twin(suite.name)
        subject = subject_of(self.config, suite)
        tree: dict[str, list[Any]] = {}
        for one in found:
            tree.setdefault(one.task, []).append(one)

        def branches(node: Node) -> Iterable[Any]:
            checks = [("audits", list(audits(suite, subject)))]
            checks.append(("preflights", list(preflights(suite, subject))))
            if not any(not one.rule.advisory for one in found):
                checks.append(("rules", [("a rule decides", no_rules)]))
            for name, some in checks:
                if some:
                    yield Node.from_parent(
                        node, name=name, make=partial(_checks, subject=subject, found=some)
                    )
            for task, items in tree.items():
                yield Node.from_parent(
                    node, name=task, make=partial(rule_items, subject=subject, found=items)
                )

        yield Node.from_parent(self, name=suite.name, make=branches)

    def _refuse_twin(self, name: str) -> None:
        other = self.config.stash[SEEN].setdefault(name, self.path)
        if other != self.path:
            raise self.CollectError(
                f"Two suites are called '{name}': {other} and {self.path}. Their runs would be "
                "taken for each other's. Rename one."
            )


def _checks(node: Node, subject: Subject, found: Iterable[Named]) -> list[Check]:
    return [
        Check.from_parent(
            node,
            name=name,
            subject=subject,
            title=f"{subject.name}::{node.name}::{name}",
            check=check,
        )
        for name, check in found
    ]


def subject_of(config: pytest.Config, suite: Suite) -> Subject:
    """The suite with its one run of this session: stored (``--harness-run``) or measured."""
    known = config.stash[SUBJECTS]
    if suite.name not in known:
        make = partial(measure, config, suite)
        if config.stash[OPTIONS].runs:
            make = partial(stored, config, suite.name)
        held = suite if config.stash[OPTIONS].runs else None
        known[suite.name] = Subject(suite.name, suite.rules, make, config, held)
    return known[suite.name]
