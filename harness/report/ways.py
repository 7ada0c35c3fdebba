"""How the run came to be measured, where that changes what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.report.words import count, joined, sentence

if TYPE_CHECKING:
    from harness.gate.targets import Met

Way = tuple[str, str]
"""A name of one or two words, and a sentence or two."""


def ways(manifest: Mapping[str, Any], met: Met | None, *, sequential: bool = False) -> list[Way]:
    """``sequential``: the verdict was reached with bounds that hold at every look."""
    found = (
        _staged(manifest, met),
        _sequential(manifest, sequential=sequential),
        _batches(manifest, sequential=sequential),
    )
    return [way for way in found if way is not None]


_EVERY_LOOK = (
    "The bounds of the rules hold however often one looks; the intervals of the other sections "
    "hold for one look."
)


def _staged(manifest: Mapping[str, Any], met: Met | None) -> Way | None:
    staged = manifest.get("staged")
    if not staged:
        return None
    first = "The variants without an adapter were measured first"
    if met is not None:
        left = joined(list(manifest.get("not_measured") or {}))
        return "Staged", f"{first}. One met every target, so nothing was trained for {left}."
    if staged.get("stopped"):
        return "Staged", f"{first}, and the run stopped there; its scores do not prove the targets."
    by = staged.get("met_by")
    if by is not None:
        return "Staged", f"{first}: {by} met every target. The others were measured all the same."
    return "Staged", f"{first}; none was proved to meet every target, so the others followed."


def _sequential(manifest: Mapping[str, Any], *, sequential: bool) -> Way | None:
    about = manifest.get("sequential")
    if not about:
        return None
    planned = about.get("planned") or {}
    shares = [
        f"{int(manifest['tasks'][task]['n']):,} of {int(n):,} planned samples"
        + (f" of {task}" if len(planned) > 1 else "")
        for task, n in planned.items()
        if (manifest["tasks"].get(task) or {}).get("n") is not None
    ]
    looks = count(int(about["looks"]), "look")
    seen = f" and {joined(shares)}" if shares else ""
    if about.get("stopped"):
        text = f"Stopped after {looks}{seen}, as soon as the evidence decided."
    else:
        text = f"Not stopped early: {looks}{seen}."
    return "Sequential", f"{text} {_EVERY_LOOK}"


def _batches(manifest: Mapping[str, Any], *, sequential: bool) -> Way | None:
    batches = batches_of(manifest)
    if len(batches) < 2:
        return None
    rows = sum(n for _, n, _ in batches)
    days = [created for _, _, created in batches if created]
    when = f", {days[0]} to {days[-1]}" if days else ""
    text = f"Imported in {len(batches):,} batches ({count(rows, 'row')}{when})."
    if sequential:
        return "Batches", f"{text} {_EVERY_LOOK}"
    return "Batches", f"{text} Every interval here holds for one look at this many."


def batches_of(manifest: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Source, rows and time of each import of an imported run."""
    return [
        (str(b.get("source") or "not known"), int(b.get("rows") or 0), str(b.get("created") or ""))
        for b in manifest.get("batches") or ()
    ]


def probed(manifest: Mapping[str, Any], task: str) -> str:
    """How the latency of ``task`` was measured; empty: not by a probe."""
    probe = manifest.get("probe") or {}
    found = (probe.get("tasks") or {}).get(task) or {}
    samples: Sequence[Any] = found.get("sample_id") or ()
    seconds: Mapping[str, Sequence[Any]] = found.get("latency_s") or {}
    if not samples or not seconds:
        return ""
    made = sum(map(len, seconds.values()))
    failed = sum(x is None for row in seconds.values() for x in row)
    lost = f", {count(failed, 'of them failed', 'of them failed')}" if failed else ""
    return sentence(
        f"Latency is what one user waits, prompt building and search included, in a warm probe of "
        f"{count(len(samples), 'sample')}: one request at a time, the variants in turn "
        f"({count(made, 'request')}{lost})"
    )
