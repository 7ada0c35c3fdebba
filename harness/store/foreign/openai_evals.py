"""OpenAI Evals: the JSONL that ``oaieval`` records.

https://github.com/openai/evals/blob/main/docs/run-evals.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import Foreign, head, json_lines, plain, score, text

NAME = "openai-evals"
TOOL = "OpenAI Evals"
_SAID = ("match", "metrics", "sampling", "raw_sample", "error", "cond_logp", "pick_option")
"""Types of events; ``embedding``, ``function_call`` and ``extra`` are passed over."""


def claims(path: Path) -> bool:
    return path.suffix == ".jsonl" and head(path).lstrip().startswith(b'{"spec"')


def read(path: Path) -> Foreign:
    spec: dict[str, Any] | None = None
    rows: dict[str, dict[str, Any]] = {}
    for number, line in json_lines(path):
        if "spec" in line:
            spec = line["spec"]
        elif "type" in line:
            if spec is None or not isinstance(line.get("data"), (dict, list)):
                raise DataError(
                    f"{path}, line {number}: no record of {TOOL} that is known: events follow a "
                    "line 'spec' and have 'type' and 'data'."
                )
            _enter(rows, line, spec)
        elif "final_report" not in line:
            raise DataError(f"{path}, line {number}: no record of {TOOL} that is known.")
    found = _whole(rows)
    if not found:
        raise DataError(f"{path}: no sample has a score (events 'match' and 'metrics').")
    lost = sum("unscored" in row["metadata"] for row in found)
    warnings = (f"{path}: {lost} samples ended in an error and are unscored.",) if lost else ()
    return Foreign(TOOL, None, found, warnings)


def _enter(rows: dict[str, dict[str, Any]], event: Mapping[str, Any], spec: Any) -> None:
    sample, kind, data = event.get("sample_id"), event["type"], event["data"]
    if sample is None or kind not in _SAID or not isinstance(data, dict):
        return
    models = spec.get("completion_fns") or ["model"]
    row = rows.setdefault(
        str(sample),
        {
            "sample_id": str(sample),
            "variant": str(models[0]),
            "task": str(spec.get("base_eval") or spec.get("eval_name") or "default"),
            "metadata": {},
            "scores": {},
        },
    )
    if kind == "sampling":
        row["input"], row["output"] = _asked(data.get("prompt")), _joined(data.get("sampled"))
    elif kind == "match":
        row["scores"]["match"] = score(data.get("correct"))
        row["target"] = _joined(data.get("expected"))
        row["output"] = row.get("output") or _joined(data.get("sampled") or data.get("picked"))
    elif kind == "metrics":
        row["scores"] |= dict(_metrics(data))
    elif kind == "error":
        row["metadata"]["unscored"] = text(plain(data))


def _metrics(data: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    for name, value in data.items():
        if value is None or isinstance(value, (bool, int, float)):
            yield name, score(value)


def _whole(rows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for row in rows.values() for name in row["scores"])
    if not names:
        return []
    return [{**r, "scores": {n: r["scores"].get(n) for n in names}} for r in rows.values()]


def _asked(prompt: Any) -> str | None:
    if isinstance(prompt, list) and prompt and isinstance(prompt[-1], Mapping):
        return text(prompt[-1].get("content"))
    return text(prompt)


def _joined(value: Any) -> str | None:
    return text(value[0] if isinstance(value, list) and len(value) == 1 else value)
