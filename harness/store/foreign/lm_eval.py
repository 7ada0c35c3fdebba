"""lm-evaluation-harness: the sample logs of ``--log_samples``, one file or the output folder.

https://github.com/EleutherAI/lm-evaluation-harness/blob/main/docs/interface.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store.foreign.shape import (
    Foreign,
    json_file,
    json_lines,
    plain,
    score,
    text,
    told_apart,
    unknown,
)

NAME = "lm-eval"
TOOL = "lm-evaluation-harness"
KNOWN = "0.4"
_FILE = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.?\d*)\.jsonl")
_KEYS = ("doc_id", "doc", "target", "arguments", "filtered_resps")


def claims(path: Path) -> bool:
    return bool(_FILE.fullmatch(path.name)) or (path.is_dir() and bool(_files(path)))


def read(path: Path) -> Foreign:
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} has no samples_*.jsonl. Run lm_eval with --log_samples.")
    rows: list[dict[str, Any]] = []
    warnings: list[str] = []
    versions = {version for file in files if (version := _version(file)) is not None}
    for file in files:
        found, left = _file(file)
        rows += found
        warnings += [
            f"{file}: '{name}' is no number a sample (it is made for the whole task), so it was "
            "left out."
            for name in left
        ]
    return Foreign(TOOL, ", ".join(sorted(versions)) or None, told_apart(rows), tuple(warnings))


def _files(folder: Path) -> list[Path]:
    """The newest log of each task, of the folder or of those in it (one a model)."""
    newest: dict[tuple[Path, str], Path] = {}
    for file in sorted(folder.rglob("samples_*.jsonl")):
        match = _FILE.fullmatch(file.name)
        if match:
            newest[file.parent, match["task"]] = file
    return list(newest.values())


def _version(file: Path) -> str | None:
    """As the results beside the log tell. Raises DataError for one that nobody has tried."""
    match = _FILE.fullmatch(file.name)
    results = file.with_name(f"results_{match['date']}.json") if match else None
    if results is None or not results.is_file():
        return None
    about = json_file(results)
    version = about.get("lm_eval_version") if isinstance(about, dict) else None
    if version is not None and not str(version).startswith(f"{KNOWN}."):
        raise unknown(results, TOOL, version, f"{KNOWN}.*")
    return None if version is None else str(version)


def _file(file: Path) -> tuple[list[dict[str, Any]], list[str]]:
    match = _FILE.fullmatch(file.name)
    task = match["task"] if match else file.stem
    lines = json_lines(file)
    for number, line in lines:
        missing = [key for key in _KEYS if key not in line]
        if missing:
            raise DataError(
                f"{file}, line {number}: no sample of {TOOL} {KNOWN}: the key '{missing[0]}' is "
                "missing."
            )
    filters = {str(line.get("filter", "none")) for _, line in lines}
    rows: dict[str, dict[str, Any]] = {}
    left: dict[str, None] = {}
    for _, line in lines:
        row = rows.setdefault(str(line["doc_id"]), _row(line, task, file.parent.name))
        name = "" if len(filters) == 1 else f",{line.get('filter')}"
        for metric in line.get("metrics") or _metrics(line):
            value = line.get(metric)
            if isinstance(value, (list, tuple, dict)):
                left[metric] = None
            else:
                row["scores"][metric + name] = score(value)
    return list(rows.values()), list(left)


def _metrics(line: Mapping[str, Any]) -> list[str]:
    """Logs before 0.4.5 do not list them: what is a number and no part of the sample."""
    own = (*_KEYS, "resps", "filter", "doc_hash", "prompt_hash", "target_hash")
    return [key for key, value in line.items() if key not in own and score(value) is not None]


def _row(line: Mapping[str, Any], task: str, folder: str) -> dict[str, Any]:
    return {
        "sample_id": str(line["doc_id"]),
        "variant": folder or "model",
        "task": task,
        "metadata": plain({k: line[k] for k in ("doc_hash",) if k in line}),
        "input": text(_prompt(line["arguments"])),
        "target": text(line["target"]),
        "output": text(_answer(line["filtered_resps"])),
        "scores": {},
    }


def _prompt(arguments: Any) -> Any:
    """The context of the first request: ``{"gen_args_0": {"arg_0": …}}``, in old logs a list."""
    if isinstance(arguments, Mapping):
        first = next(iter(arguments.values()), None)
        return first.get("arg_0") if isinstance(first, Mapping) else first
    first = arguments[0] if isinstance(arguments, Sequence) and arguments else None
    return (
        first[0] if isinstance(first, Sequence) and first and not isinstance(first, str) else first
    )


def _answer(responses: Any) -> Any:
    alone = isinstance(responses, list) and len(responses) == 1
    return responses[0] if alone else responses
