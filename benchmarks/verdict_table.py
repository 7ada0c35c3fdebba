"""What ``time_to_verdict.py`` measured, as one table with the checks beside the seconds."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import verdict_peers
from verdict_suite import ADAPTED, RULES, VARIANTS

from harness import __version__, models

Record = Mapping[str, Any]
OWN = {
    "run": "this package",
    "cached": "… again, all cached",
    "sequential, clear": "… `--sequential`, clear",
    "sequential, close": "… `--sequential`, close",
    "one variant": "… `adapter_rag` alone",
}
HEAD = (
    "samples a variant",
    "tool",
    "seconds",
    "less start-up",
    "times ours",
    "less start-up",
    "times `--sequential`: clear, close",
    "peak GB",
    "prompt tokens",
    "answers as ours",
    "exact match (ours): " + ", ".join(VARIANTS),
)


def best_batches(records: Sequence[Record]) -> dict[str, list[int]]:
    """``tool/variant`` to the one batch size that was fastest."""
    best: dict[str, Record] = {}
    for record in records:
        key = f"{record['side']}/{record['variant']}"
        if key not in best or record["seconds"] < best[key]["seconds"]:
            best[key] = record
    return {key: [record["batch"]] for key, record in best.items()}


def about(threads: int, pythons: Mapping[str, Path]) -> dict[str, Any]:
    """Machine and versions."""
    names = {"lmeval": "lm_eval", "inspect": "inspect_ai"}
    found = {
        name: subprocess.run(
            [python, "-c", f"from importlib.metadata import version; print(version('{name}'))"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
        for tool, python in pythons.items()
        for name in [names[tool]]
    }
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads",
        "processor": processor(),
        "versions": {"shipworthy": __version__, **models.versions(), **found},
    }


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor()
    lines = cpuinfo.read_text("utf-8").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    name = next((line for line in lines if line.startswith("model name")), ": ").split(": ")[1]
    known = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]
    return ", ".join([name, *known])


def table(records: Sequence[Record], about: Mapping[str, Any]) -> str:
    lines = [
        f"{about['processor']}; {about['machine']}; "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
    ]
    for n in sorted({r["n"] for r in records if r["what"] == "run"}):
        some = [r for r in records if r["n"] == n]
        lines += ["| " + " | ".join(row) + " |" for row in _rows(some, records)]
    return "\n".join([*lines, "", *_notes(records)])


def _rows(some: Sequence[Record], records: Sequence[Record]) -> list[list[str]]:
    """Of one number of samples."""
    rows = [_own_row(what, name, some, records) for what, name in OWN.items()]
    for tool, (name, _) in verdict_peers.TOOLS.items():
        best = [_best(some, tool, variant) for variant in VARIANTS]
        if all(best):
            rows.append(_peer_row(name, best, some, records))
    return rows


def _own_row(what: str, name: str, some: Sequence[Record], records: Sequence[Record]) -> list[str]:
    mine = [r for r in some if r["side"] == "own" and r["what"] == what]
    samples = statistics.median(r["samples"] for r in mine)
    seconds = _own(some, what)
    less = "" if what in ("cached", "one variant") else f"{seconds - _own(records, 'start-up'):.1f}"
    return [
        f"{samples:g}" if samples == mine[0]["n"] else f"{samples:g} of {mine[0]['n']}",
        f"{name}: {'/'.join(sorted({r['verdict'] for r in mine}))}",
        *(f"{seconds:.1f}", less, "", "", ""),
        f"{max(r['peak_gb'] for r in mine):.2f}",
        *("", "", ""),
    ]


def _peer_row(
    name: str,
    best: Sequence[Sequence[Record]],
    some: Sequence[Record],
    records: Sequence[Record],
) -> list[str]:
    """``best``: for each variant the records of its fastest batch size."""
    seconds = sum(_median(b, "seconds") for b in best)
    tool = best[0][0]["side"]
    starts = [
        _median([r for r in records if r["what"] == "start-up" and _is(r, tool, v)], "seconds")
        for v in VARIANTS
    ]
    whole, start = _own(some, "run"), _own(records, "start-up")
    early = [seconds / _own(some, f"sequential, {rule}") for rule in RULES]
    less = seconds - sum(starts)
    every = [r for b in best for r in b]
    return [
        str(best[0][0]["n"]),
        f"{name}, batch " + "/".join(str(b[0]["batch"]) for b in best),
        f"{seconds:.1f}",
        f"{less:.1f}",
        f"{seconds / whole:.1f}",
        f"{less / (whole - start):.1f}",
        ", ".join(f"{times:.1f}" for times in early),
        f"{max(r['peak_gb'] for r in every):.2f}",
        "the same" if all(r["same_prompts"] for r in every) else "DIFFERENT",
        ", ".join(f"{b[0]['same_answers']:.0%}" for b in best),
        ", ".join(f"{b[0]['exact_match']:.3f} ({b[0]['own_exact_match']:.3f})" for b in best),
    ]


def _best(some: Sequence[Record], tool: str, variant: str) -> list[Record]:
    """The records of the batch size that was fastest for this variant."""
    mine = [r for r in some if r["what"] == "run" and _is(r, tool, variant)]
    sizes: dict[int, list[Record]] = {}
    for record in mine:
        sizes.setdefault(record["batch"], []).append(record)
    return min(sizes.values(), key=lambda s: _median(s, "seconds"), default=[])


def _notes(records: Sequence[Record]) -> list[str]:
    """The true differences, and how far each tool is from itself at another batch size: the
    noise that bf16 brings."""
    notes = []
    for record in records:
        if record["what"] == "run" and record["side"] == "own":
            for rule, (candidate, metric) in RULES.items():
                means = record["means"][metric]
                best = max(means[v] for v in VARIANTS if v not in ADAPTED)
                notes.append(
                    f"{rule}, {record['n']} samples: {metric} of {candidate} "
                    f"{means[candidate]:.3f}, of the best without an adapter {best:.3f}; to be "
                    "shown: 0.02 more."
                )
    for tool, (name, _) in verdict_peers.TOOLS.items():
        for variant in VARIANTS:
            mine = [r for r in records if r["what"] == "run" and _is(r, tool, variant)]
            n = min((r["n"] for r in mine), default=0)
            sides = {r["batch"]: r for r in mine if r["n"] == n}
            if len(sides) < 2:
                continue
            (a, one), (b, other) = sorted(sides.items())[:: len(sides) - 1]
            same = sum(x == y for x, y in zip(one["texts"], other["texts"], strict=True)) / n
            notes.append(
                f"{name}, {variant}, {n} samples: batch {a} and batch {b} give {same:.1%} equal "
                f"answers, exact match {one['exact_match']:.3f} and {other['exact_match']:.3f}."
            )
    return notes


def _is(record: Record, tool: str, variant: str) -> bool:
    return record["side"] == tool and record["variant"] == variant


def _own(records: Sequence[Record], what: str) -> float:
    """Seconds of this package."""
    return _median([r for r in records if r["side"] == "own" and r["what"] == what], "seconds")


def _median(records: Sequence[Record], key: str) -> float:
    return float(statistics.median(r[key] for r in records))
