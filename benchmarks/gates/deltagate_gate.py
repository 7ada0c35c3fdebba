"""Decisions of deltagate 0.1.1 on stored cases; run by ../other_gates.py in its environment.

python deltagate_gate.py CASES.npz: a JSON line {"gate": [bool] or null, "interval": [bool]} a case.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from deltagate import evaluate_comparison, paired_delta


def main() -> None:
    cases = np.load(sys.argv[1])
    for spec in json.loads(str(cases["specs"])):
        key, threshold, alpha = spec["key"], spec["threshold"], spec["alpha"]
        clusters = cases[f"{key}/clusters"] if spec["clustered"] else None
        # Its verdict knows no margin (only difference 0) and no clusters.
        has_gate = threshold == 0 and clusters is None
        candidates, references = cases[f"{key}/candidate"], cases[f"{key}/reference"]
        shipped, cleared = [], []
        for candidate, reference in zip(candidates, references, strict=True):
            if has_gate:
                report = evaluate_comparison(candidate, reference, alpha=alpha, level=1 - alpha)
                shipped.append(report.verdict().startswith("REAL") and report.delta > 0)
            bounds = paired_delta(candidate, reference, level=1 - 2 * alpha, clusters=clusters)
            cleared.append(bounds["lower"] > threshold)
        print(json.dumps({"gate": shipped if has_gate else None, "interval": cleared}), flush=True)


if __name__ == "__main__":
    main()
