"""Decisions of evalproof 0.2.1 on stored cases; run by ../other_gates.py in its environment.

python evalproof_gate.py CASES.npz: a JSON line {"gate": [bool] or null, "interval": [bool]} a case.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from evalproof import GateConfig, compare_runs, decide
from evalproof.models import CaseResult, Run, RunInfo, Score, SystemOutput
from evalproof.stats import paired_bootstrap

INFO = RunInfo(
    suite="s",
    system="s",
    dataset_path="d",
    dataset_hash="h",
    started_at="",
    finished_at="",
    wall_time_s=0.0,
    evalproof_version="0.2.1",
    seed=0,
)


def run(scores: np.ndarray, binary: bool) -> Run:
    return Run(
        info=INFO,
        results=[
            CaseResult(
                case_id=str(i),
                output=SystemOutput(output=""),
                scores={"m": Score(value=float(s), passed=bool(s) if binary else None)},
            )
            for i, s in enumerate(scores)
        ],
    )


def main() -> None:
    cases = np.load(sys.argv[1])
    for spec in json.loads(str(cases["specs"])):
        key, threshold, alpha = spec["key"], spec["threshold"], spec["alpha"]
        # It has a tolerated drop and nothing that proves a gain.
        config = GateConfig(metric="m", max_drop=-threshold, alpha=alpha) if threshold < 0 else None
        candidates, references = cases[f"{key}/candidate"], cases[f"{key}/reference"]
        shipped, cleared = [], []
        for candidate, reference in zip(candidates, references, strict=True):
            if config is not None:
                a, b = run(reference, spec["binary"]), run(candidate, spec["binary"])
                decision = decide(compare_runs(a, b, alpha=alpha), config)
                shipped.append(decision.exit_code == 0)
            bounds = paired_bootstrap(reference, candidate, alpha=2 * alpha)
            cleared.append(bounds.ci_low > threshold)
        print(json.dumps({"gate": shipped if config else None, "interval": cleared}), flush=True)


if __name__ == "__main__":
    main()
