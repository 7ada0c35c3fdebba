"""deepeval: a test run as JSON, of ``DEEPEVAL_RESULTS_FOLDER`` or ``.latest_test_run.json``.

https://deepeval.com/docs/evaluation-introduction
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import Foreign, head, json_file, plain, score, text, told_apart

NAME = "deepeval"
TOOL = "deepeval"


def claims(path: Path) -> bool:
    start = head(path, 200_000)
    return b'"testCases"' in start and path.suffix in (".json", "")


def read(path: Path) -> Foreign:
    found = json_file(path)
    run = found.get("testRunData", found) if isinstance(found, dict) else None
    cases = run.get("testCases") if isinstance(run, dict) else None
    if run is None or not isinstance(cases, list):
        raise DataError(f"{path} is no test run of {TOOL}: it has no list 'testCases'.")
    if not cases:
        raise DataError(f"{path}: the test run has no test cases.")
    rows = [_row(case, run, at, path) for at, case in enumerate(cases)]
    talks = len(run.get("conversationalTestCases") or ())
    warnings = (f"{path}: {talks} conversational test cases were left out.",) if talks else ()
    return Foreign(TOOL, None, told_apart(rows), warnings)


def _row(case: Any, run: Mapping[str, Any], at: int, path: Path) -> dict[str, Any]:
    metrics = case.get("metricsData") if isinstance(case, dict) else None
    if not isinstance(metrics, list) or "input" not in case:
        raise DataError(
            f"{path}: test case {at} has no 'input' and 'metricsData': a version of {TOOL} that is "
            "not known (known: 4)."
        )
    return {
        # Names like test_case_0 are given where the caller gave none.
        "sample_id": str(case.get("name") or at),
        "variant": str(_model(run) or "model"),
        "task": str(run.get("testFile") or "deepeval").rpartition("/")[2],
        "metadata": plain(case.get("additionalMetadata") or {}),
        "input": text(case["input"]),
        "target": text(case.get("expectedOutput")),
        "output": text(case.get("actualOutput")),
        "scores": {
            str(m["name"]): None if m.get("error") else score(m.get("score")) for m in metrics
        },
        **_amounts(case),
    }


def _model(run: Mapping[str, Any]) -> Any:
    """The hyperparameter that says what was evaluated, where it was logged."""
    chosen = run.get("hyperparameters") or {}
    return chosen.get("model") if isinstance(chosen, Mapping) else None


def _amounts(case: Mapping[str, Any]) -> dict[str, float]:
    """What the system cost, where it was told; ``runDuration`` is the metrics' own time."""
    found = (("latency_s", "completionTime"), ("cost", "tokenCost"))
    return {
        key: value
        for key, theirs in found
        if (value := score(case.get(theirs))) is not None and value >= 0
    }
