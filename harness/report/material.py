"""What the sections of a report are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.evidence import NOTHING, Evidence
from harness.types import Comparison, Summary, Verdict

if TYPE_CHECKING:
    from harness.store.runs import Run


@dataclass(frozen=True)
class Material:
    run: Run
    verdict: Verdict
    candidate: str | None
    """Of the verdict, else the variant whose differences are shown."""
    rules: Sequence[Mapping[str, Any]] = ()
    """Those the verdict was reached by, as in a rules file."""
    comparisons: Sequence[Comparison] = ()
    summaries: Sequence[Summary] = ()
    evidence: Evidence = NOTHING
    alpha: float = 0.05
    others: Sequence[tuple[str, Run]] = ()
    """Runs that this one is put beside, and what to call them."""

    @property
    def manifest(self) -> dict[str, Any]:
        return self.run.manifest

    @property
    def tasks(self) -> list[str]:
        return list(self.manifest["tasks"])

    @property
    def variants(self) -> list[str]:
        return list(self.manifest["variants"])

    def leading(self, task: str) -> list[str]:
        """The task's scored metrics, those that the rules speak of first."""
        about = self.manifest["tasks"].get(task) or {}
        scored = dict.fromkeys(about.get("metrics") or ())
        scored |= dict.fromkeys(c.metric for c in self.comparisons if c.task == task)
        ruled = [
            r.get("metric")
            for r in sorted(self.rules, key=lambda r: bool(r.get("advisory")))
            if r.get("task") in (None, task)
        ]
        return list(dict.fromkeys([m for m in ruled if m in scored] + list(scored)))
