"""The test items: a rule, a preflight, an audit. Each asks its subject for the one run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.outcomes import Ruled, ruling_text, worst
from harness.pytest_plugin.subjects import OPTIONS, Broken, Subject
from harness.types import Rule, Status

if TYPE_CHECKING:
    from harness.pytest_plugin.naming import Named


TOLD = (Ruled, Broken, HarnessError)
"""Exceptions whose message is all there is to say: no traceback."""


class Node(pytest.Collector):
    """A level of names: the suite, a task."""

    def __init__(self, make: Callable[[Node], Iterable[Any]], **rest: Any) -> None:
        super().__init__(**rest)
        self._make = make

    def collect(self) -> Iterable[Any]:
        return self._make(self)


class Ruling(pytest.Item):
    """An item that ends in one of the four words.

    INVALID is found in the set-up, so that pytest and JUnit tell it apart from a failure.
    """

    def __init__(self, subject: Subject, title: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.subject = subject
        self.title = title
        self._late: Ruled | None = None
        self.add_marker("harness")

    @abstractmethod
    def judge(self) -> None:
        """Returns where it passes. Raises Ruled or Broken, or skips."""

    def setup(self) -> None:
        try:
            self.judge()
        except Ruled as ruled:
            if ruled.status is Status.INVALID:
                self._end(ruled)
            self._late = ruled

    def runtest(self) -> None:
        if self._late is not None:
            self._end(self._late)

    def _end(self, ruled: Ruled) -> None:
        choice = self.config.stash[OPTIONS].choice(ruled.status)
        if choice == "skip":
            pytest.skip(ruled.first)
        if choice == "xfail":
            pytest.xfail(ruled.first)
        raise ruled

    def reportinfo(self) -> tuple[Path, int | None, str]:
        # The space keeps pytest from taking it for a dotted name: "by 0.02" would be "by 0::02".
        return self.path, None, f"{self.title} "

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, Ruled):
            folder = self.subject.folder
            return str(error) + (f"\n\nrun  {folder}" if folder else "")
        if isinstance(error, TOLD):
            return f"Error: {error}"
        return super().repr_failure(excinfo, style)


class RuleItem(Ruling):
    """One rule in one task: all its slices and references."""

    def __init__(self, rule: Rule, **rest: Any) -> None:
        super().__init__(**rest)
        self.rule = rule
        self.add_marker("harness_rule")

    def judge(self) -> None:
        rows = self.subject.rows(self.rule)
        for row in rows:
            self.user_properties.append(
                (
                    f"versus {row.versus}" if row.versus else "value",
                    f"{row.status.value} {row.estimate} [{row.ci_low}, {row.ci_high}] n={row.n}",
                )
            )
        status = worst(rows)
        if status is Status.SHIP:
            return
        text = ruling_text(self.title, rows)
        if self.rule.advisory:
            pytest.skip(f"advisory, {text.partition(chr(10))[0]}")
        raise Ruled(status, text)


class Check(Ruling):
    """A check that passes, or says in a sentence why the run supports nothing."""

    def __init__(self, check: Callable[[], None], **rest: Any) -> None:
        super().__init__(**rest)
        self._check = check
        self.add_marker("harness_check")

    def judge(self) -> None:
        self._check()


def rule_items(
    parent: pytest.Collector, subject: Subject, found: Iterable[Named]
) -> list[RuleItem]:
    """Items of one task. A name cannot hold ``::``, which parts node ids."""
    return [
        RuleItem.from_parent(
            parent,
            name=one.name,
            subject=subject,
            title=f"{subject.name}::{one.task}::{one.name}",
            rule=one.rule,
        )
        for one in found
    ]
