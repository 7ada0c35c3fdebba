"""What is collected of a suite, known without a run: a name to be read for each rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.types import Rule, Suite, Task

EVERYWHERE = "all tasks"
"""Where a rule stands that no task of the suite has the metric of: the gate says what is wrong."""


@dataclass(frozen=True)
class Named:
    """One rule in one task: a test item."""

    task: str
    name: str
    rule: Rule
    """With its task filled in, but where no task has its metric."""


def rule_name(rule: Rule) -> str:
    """``exact_match superior to best by 0.02``."""
    if rule.role == "superior":
        said = f"superior to {rule.versus}" + (f" by {rule.margin:g}" if rule.margin else "")
    elif rule.role == "non_inferior":
        said = f"not worse than {rule.versus} by {rule.margin or 0.0:g}"
    else:
        ends = ((rule.min, "at least"), (rule.max, "at most"))
        said = " and ".join(f"{word} {end:g}" for end, word in ends if end is not None)
    parts = [rule.metric, said]
    if rule.slice is not None:
        parts.append(f"in every {rule.slice}")
    if rule.advisory:
        parts.append("(advisory)")
    return " ".join(parts).replace("::", ":")


def named(suite: Suite) -> list[Named]:
    """An item for each rule and task that has its metric, in the order of the rules.

    Slices and references are known only after a run: an item stands for all of them.
    """
    rules = suite.rules.rules if suite.rules is not None else ()
    metrics = {task.name: _metrics(task) for task in suite.tasks}
    return _told_apart([item for rule in rules for item in _of(rule, metrics)])


def _of(rule: Rule, metrics: dict[str, set[str]]) -> Iterator[Named]:
    found = [t for t in metrics if rule.task in (None, t) and rule.metric in metrics[t]]
    for task in found:
        yield Named(task, rule_name(rule), replace(rule, task=task))
    if not found:
        yield Named(rule.task or EVERYWHERE, rule_name(rule), rule)


def _metrics(task: Task) -> set[str]:
    # Here, as every pytest session with this package installed loads the plugin.
    from harness.compare.derived import DERIVED
    from harness.scorers import resolve

    scorers = [resolve(scorer) for scorer in task.scorers]
    return {metric.name for scorer in scorers for metric in scorer.metrics} | set(DERIVED)


def _told_apart(items: Sequence[Named]) -> list[Named]:
    """Rules that read alike (they differ in alpha, say) are numbered."""
    alike = Counter((item.task, item.name) for item in items)
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for item in items:
        key = (item.task, item.name)
        seen[key] += 1
        name = f"{item.name} #{seen[key]}" if alike[key] > 1 else item.name
        found.append(replace(item, name=name))
    return found
