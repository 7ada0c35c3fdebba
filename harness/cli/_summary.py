"""A run as a small text that is read in a diff: stable order, stable rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.compare.aligned import DERIVED
from harness.store.runs import Run
from harness.types import Summary, Verdict

STEADY = ("tokens_in", "tokens_out", "cost")
"""Of the metrics beside the answers, those that are the same on every machine."""
SHORT = 12
"""Characters of a hash."""

Key = tuple[str, str, str]


def means(found: Sequence[Summary]) -> dict[Key, Summary]:
    """By task, metric and variant, in the order of these names."""
    kept = [s for s in found if s.metric not in DERIVED or s.metric in STEADY]
    return dict(sorted(((s.task, s.metric, s.variant), s) for s in kept))


def summary(name: str, run: Run, verdict: Verdict | None, found: Mapping[Key, Summary]) -> str:
    """Markdown. ``verdict``: None for a run without rules; ``found``: of ``means``."""
    lines = [
        f"# Baseline {name}",
        "",
        "Written by `harness bless`; the run lies beside it.",
        "",
        *(f"- {key}: {value}" for key, value in _head(run, verdict)),
        "",
        f"| task | metric | variant | mean | interval ({_levels(found)}) | n | unscored |",
        "|---|---|---|---:|---|---:|---:|",
        *(_row(s) for s in found.values()),
    ]
    return "\n".join(lines) + "\n"


def changes(old: Mapping[Key, Summary], new: Mapping[Key, Summary]) -> list[str]:
    """A line for each mean that is another number, or that only one side has."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before = number(old[key].estimate) if key in old else None
        after = number(new[key].estimate) if key in new else None
        if before != after:
            moved = f"{before} -> {after}"
            if before is None or after is None:
                moved = "gone" if after is None else f"new, {after}"
            lines.append(f"{' '.join(key)}: {moved}")
    return lines


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _head(run: Run, verdict: Verdict | None) -> Iterator[tuple[str, str]]:
    if verdict is None:
        yield "verdict", "none, the run has no rules"
    else:
        yield "verdict", verdict.status.value
        yield "candidate", str(verdict.candidate)
        yield "ship", verdict.recommendation or "no recommendation"
    yield "harness", str(run.manifest.get("harness_version"))
    for key in ("seed", "limit"):
        if run.manifest.get(key) is not None:
            yield key, str(run.manifest[key])
    yield "run", _short(run.manifest.get("fingerprint"))
    for task, entry in sorted(run.manifest["tasks"].items()):
        if entry.get("data_sha256"):
            yield f"data of {task}", _short(entry["data_sha256"])
    for variant, entry in sorted(run.manifest["variants"].items()):
        prints = entry.get("fingerprints") or {}
        known = {k.removesuffix("_sha256"): v for k, v in prints.items() if _is_hash(k, v)}
        if known:
            yield variant, ", ".join(f"{k} {_short(known[k])}" for k in sorted(known))


def _is_hash(key: str, value: Any) -> bool:
    return key.endswith("_sha256") and isinstance(value, str)


def _short(value: Any) -> str:
    return str(value)[:SHORT]


def _row(s: Summary) -> str:
    low, high = number(s.ci_low), number(s.ci_high)
    interval = "-" if s.ci_low is None and s.ci_high is None else f"[{low}, {high}]"
    names = (name.replace("|", "\\|") for name in (s.task, s.metric, s.variant))
    cells = (*names, number(s.estimate), interval, s.n, s.n_unscored)
    return f"| {' | '.join(map(str, cells))} |"


def _levels(found: Mapping[Key, Summary]) -> str:
    return ", ".join(sorted({f"{s.ci_level:.3g}" for s in found.values()}))
