"""promptfoo: the JSON of ``promptfoo eval --output results.json``.

https://www.promptfoo.dev/docs/configuration/outputs/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import (
    Foreign,
    head,
    json_file,
    plain,
    score,
    text,
    told_apart,
    unknown,
)

NAME = "promptfoo"
TOOL = "promptfoo"
VERSIONS = (3,)
"""Of the results' format."""


def claims(path: Path) -> bool:
    return path.suffix == ".json" and b'"evalId"' in head(path)


def read(path: Path) -> Foreign:
    found = json_file(path)
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, dict):
        raise DataError(f"{path} is no output of {TOOL}: it has no object 'results'.")
    if results.get("version") not in VERSIONS:
        raise unknown(path, TOOL, results.get("version"), ", ".join(map(str, VERSIONS)))
    cases = results.get("results")
    if not isinstance(cases, list) or not cases:
        raise DataError(f"{path}: the output has no results.")
    several = len({_prompt(case) for case in cases}) > 1
    rows = [_row(case, several) for case in cases]
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    whole = [{**r, "scores": {n: r["scores"].get(n) for n in names}} for r in rows]
    lost = sum(row["metadata"].get("unscored") is not None for row in rows)
    warnings = (f"{path}: {lost} cases ended in an error and are unscored.",) if lost else ()
    version = (found.get("metadata") or {}).get("promptfooVersion")
    return Foreign(TOOL, version, told_apart(whole), warnings)


def _row(case: Mapping[str, Any], several: bool) -> dict[str, Any]:
    test, response = case.get("testCase") or {}, case.get("response") or {}
    provider = case.get("provider") or {}
    named = provider.get("label") or provider.get("id") or "provider"
    variables = case.get("vars") or test.get("vars") or {}
    error = case.get("error") if case.get("failureReason") == 2 else None
    row: dict[str, Any] = {
        "sample_id": str(test.get("description") or case.get("testIdx")),
        "variant": f"{named} · {_prompt(case)}" if several else str(named),
        "task": "promptfoo",
        "metadata": {**plain(test.get("metadata") or {}), "vars": plain(variables)},
        # Not the rendered prompt, which is the variant's: what was asked is the same for all.
        "input": text(variables),
        "output": text(response.get("output")),
        "scores": {} if error else _scores(case),
    }
    if error:
        row["metadata"]["unscored"] = str(error)[:300]
    seconds, cost = score(case.get("latencyMs")), score(case.get("cost"))
    if seconds is not None and seconds >= 0:
        row["latency_s"] = seconds / 1000
    if cost is not None and cost >= 0:
        row["cost"] = cost
    return row


def _prompt(case: Mapping[str, Any]) -> str:
    prompt = case.get("prompt") or {}
    label = str(prompt.get("label") or prompt.get("raw") or case.get("promptIdx"))
    return " ".join(label.split())[:60]


def _scores(case: Mapping[str, Any]) -> dict[str, float | None]:
    named = {str(k): score(v) for k, v in (case.get("namedScores") or {}).items()}
    return {"pass": score(case.get("success")), "score": score(case.get("score")), **named}
