"""What a report shows besides the verdict and the comparisons, worked out from the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare import BreakEven, Effect
    from harness.gate import Checked
    from harness.gate.targets import Met
    from harness.store.runs import Run
    from harness.types import RuleSet, Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    effects: tuple[Effect, ...] = ()
    break_even: tuple[BreakEven, ...] = ()
    checked: tuple[Checked, ...] = ()
    """The gate's self-check; empty where nothing was decided, or where it was left out."""
    unchecked: bool = False
    """The self-check was left out: the run is so large that it would take minutes."""
    met: Met | None = None
    """The targets that a variant without an adapter meets, where the run stopped on them."""
    sequential: bool = False
    """Whether the verdict's bounds hold at every look."""


NOTHING = Evidence()


def evidence(
    run: Run,
    verdict: Verdict,
    rules: RuleSet | None,
    alpha: float,
    *,
    sequential: bool = False,
) -> Evidence:
    """All of it. ``rules``: those the verdict was reached by."""
    from harness import compare, gate
    from harness.gate.targets import early_verdict, met
    from harness.report.selfcheck import repetitions

    sequential = sequential or bool(run.manifest.get("sequential"))
    early = rules is not None and early_verdict(run, rules) is not None
    times = repetitions(run, verdict.rules, rules, sequential=sequential)
    checked = (
        gate.self_check(run, rules, sequential=sequential, repetitions=times)
        if rules is not None and times is not None and not run.tampered
        else []
    )
    return Evidence(
        effects=tuple(compare.attribution(run, alpha)),
        break_even=tuple(compare.break_even(run, alpha=alpha)),
        checked=tuple(checked),
        unchecked=rules is not None and times is None,
        met=met(run, rules) if early and rules is not None else None,
        sequential=sequential,
    )
