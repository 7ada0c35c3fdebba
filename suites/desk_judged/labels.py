"""What people said of answers of a model: `linear-regression` of OpenAI's evals (MIT).

144 completions of the question for a regression line, each with the right line, and whether a
person found that the completion gives it.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.sources import fetch

LABELED = (
    "pypi:evals==3.0.1.post1/evals/registry/data/linear-regression/labeled-samples.jsonl"
    "#sha256=734f69982aabc5ae5fe7f8a9ee47f6a5cf8434269f878bbb07ca38830c394ee7"
)
QUESTION = "Find the linear regression equation of the given observations."
GIVEN = {"Y": 5, "N": 1}


def write(file: Path, n: int) -> None:
    """The first ``n`` labels of each kind in turn, as ``harness judge calibrate`` reads them."""
    rows = [json.loads(line) for line in Path(fetch(LABELED)).read_text("utf-8").splitlines()]
    kinds = [[row for row in rows if row["choice"] == choice] for choice in GIVEN]
    mixed = [row for pair in zip(*kinds, strict=False) for row in pair][:n]
    lines = [
        json.dumps(
            {
                "sample_id": f"lr{i}",
                "input": QUESTION,
                "answer": row["completion"],
                "target": row["ideal"],
                "human": GIVEN[row["choice"]],
            }
        )
        for i, row in enumerate(mixed)
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
