"""The verdict as an assertion, for ordinary tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.pytest_plugin.outcomes import ruling_text
from harness.types import RuleSet, Status, Verdict

if TYPE_CHECKING:
    from harness.store.runs import Run

Rules = RuleSet | Mapping[str, Any] | str | PathLike[str]
"""Rules as an object, as a rules file's object, or as the path of a rules file."""


class NotShipped(AssertionError):
    """The verdict is not SHIP; ``verdict`` has it."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(_text(verdict))
        self.verdict = verdict


def assert_ships(
    run: Run | str | PathLike[str],
    rules: Rules | None = None,
    *,
    allow: Collection[str] = (),
    sequential: bool = False,
) -> Verdict:
    """Assert that the candidate of ``run`` may ship by ``rules`` (None: the run's own).

    Returns the verdict. ``allow``: further words that pass, such as ``["INCONCLUSIVE"]``; never
    INVALID. Raises NotShipped, an AssertionError whose message is the table of the rules,
    ValueError for another word, and RunError, RulesError for what cannot be read.
    """
    __tracebackhide__ = True
    from harness import gate

    words = {Status(word) for word in allow}
    if Status.INVALID in words:
        raise ValueError("An INVALID run supports no verdict, so it cannot be allowed.")
    opened = opened_run(run)
    given = None if rules is None else rule_set(rules)
    verdict = gate.decide(opened, given, strict=given is not None, sequential=sequential)
    if verdict.status is not Status.SHIP and verdict.status not in words:
        raise NotShipped(verdict)
    return verdict


def opened_run(run: Run | str | PathLike[str]) -> Run:
    from harness.store.runs import Run, read_run

    return run if isinstance(run, Run) else read_run(Path(run))


def rule_set(rules: Rules, folder: Path | None = None) -> RuleSet:
    """Rules of any form; a relative path starts at ``folder``. Raises RulesError."""
    from harness.rules import load_rules, parse_rules

    if isinstance(rules, RuleSet):
        return rules
    if isinstance(rules, Mapping):
        return parse_rules(rules, where="rules")
    return load_rules((folder or Path()) / Path(rules))


def _text(verdict: Verdict) -> str:
    said = ruling_text(f"{verdict.candidate or 'no candidate'} may not ship", verdict.rules)
    head, _, rest = said.partition("\n")
    title = head.partition(": ")[2]
    lines = [f"{verdict.status.value}: {title}", rest if verdict.rules else ""]
    return "\n".join([*lines, *verdict.warnings]).rstrip()
