"""The candidate now against the candidate that was blessed: base and head of a change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.compare import comparisons, merge
from harness.errors import UsageError
from harness.rules import parse_rules
from harness.store.runs import Run, read_run
from harness.types import Comparison, RuleSet, Verdict

BASE, HEAD = "base", "head"


def against(run: Run, baseline: Path, candidate: str) -> tuple[Run, list[Comparison], list[str]]:
    """The two runs as one, the candidate's differences (now minus then), and warnings.

    Raises UsageError where one of the runs does not have the candidate.
    """
    from harness.compare import COLUMNS

    then = read_run(baseline, columns=COLUMNS)
    for name, one in ((baseline, then), (run.path, run)):
        if candidate not in one.manifest["variants"]:
            raise UsageError(f"'{name}' has no variant '{candidate}', the candidate.")
    merged, warnings = merge([(BASE, then), (HEAD, run)])
    both = _asked_now(merged, run)
    mine, theirs = f"{HEAD}/{candidate}", f"{BASE}/{candidate}"
    rows = [c for c in comparisons(both) if (c.candidate, c.versus) == (mine, theirs)]
    warnings += [f"the baseline was edited: {name}" for name in then.tampered]
    return both, rows, warnings


def _asked_now(both: Run, run: Run) -> Run:
    """Of both, the samples of ``run``: with ``--limit`` it has a part of the baseline's, which
    chance has drawn. What it has and the baseline lacks stays, and counts as unscored."""
    own = run.outputs.select(["task", "sample_id"])
    keys = own.group_by(["task", "sample_id"], use_threads=False).aggregate([])
    outputs, scores = (
        table.join(keys, keys=["task", "sample_id"], join_type="left semi", use_threads=False)
        for table in (both.outputs, both.scores)
    )
    tasks = {
        name: {**about, "n": run.manifest["tasks"][name].get("n")}
        for name, about in both.manifest["tasks"].items()
    }
    return replace(both, manifest={**both.manifest, "tasks": tasks}, outputs=outputs, scores=scores)


def regression(both: Run, rules: RuleSet, margin: float) -> Verdict:
    """Whether the candidate is proved no worse than the blessed one, by ``margin``, on every
    metric that a gating rule speaks of."""
    from harness import gate

    metrics = dict.fromkeys(r.metric for r in rules.rules if not r.advisory)
    first = {rule.metric: rule for rule in reversed(rules.rules)}
    wanted = [
        {
            "metric": name,
            "role": "non_inferior",
            "versus": f"{BASE}/{rules.candidate}",
            "margin": margin,
            "min_samples": first[name].min_samples,
            "cluster": first[name].cluster,
        }
        for name in metrics
    ]
    held = parse_rules(
        {"candidate": f"{HEAD}/{rules.candidate}", "alpha": rules.alpha, "rule": wanted},
        where="--max-drop",
    )
    return gate.decide(both, held)
