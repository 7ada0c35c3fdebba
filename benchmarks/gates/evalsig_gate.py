"""Decisions of evalsig 0.1.2 on stored cases; run by ../other_gates.py in evalsig's environment.

python evalsig_gate.py CASES.npz: a JSON line {"gate": [bool], "interval": [bool]} a case.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from evalsig.compare import gate
from evalsig.types import ItemResult, RunFrame


def frame(name: str, scores: np.ndarray, clusters: np.ndarray | None) -> RunFrame:
    labels = [None] * len(scores) if clusters is None else [str(c) for c in clusters]
    items = [
        ItemResult(f"{i:06d}", float(s), c)
        for i, (s, c) in enumerate(zip(scores, labels, strict=True))
    ]
    return RunFrame(name, name, "task", "score", items)


def main() -> None:
    cases = np.load(sys.argv[1])
    for spec in json.loads(str(cases["specs"])):
        key, threshold, alpha = spec["key"], spec["threshold"], spec["alpha"]
        clusters = cases[f"{key}/clusters"] if spec["clustered"] else None
        options = {"alpha": alpha, "cluster": "cluster" if spec["clustered"] else None}
        if spec["clustered"]:
            options["n_resamples"] = 1000  # its loop over 10,000 takes half a second a case
        candidates, references = cases[f"{key}/candidate"], cases[f"{key}/reference"]
        shipped, cleared = [], []
        for candidate, reference in zip(candidates, references, strict=True):
            a, b = frame("baseline", reference, clusters), frame("candidate", candidate, clusters)
            report = gate(a, b, min_delta=threshold or 1e-9, **options)
            shipped.append(report.verdict.value == "ALLOW")
            cleared.append(report.comparison.ci[0] > threshold)
        print(json.dumps({"gate": shipped, "interval": cleared}), flush=True)


if __name__ == "__main__":
    main()
