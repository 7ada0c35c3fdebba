"""Where every number comes from: identities, hashes, environment, and what was not scored."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.store.runs import Run


@dataclass(frozen=True, slots=True)
class Unscored:
    task: str
    variant: str
    metric: str
    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class Provenance:
    facts: tuple[tuple[str, Any], ...]
    command: str
    then: str
    """The commands that decide and show it again."""
    tasks: Mapping[str, Any]
    variants: Mapping[str, Any]
    environment: Mapping[str, Any]
    packages: Mapping[str, Any]
    timings: Mapping[str, Any]
    noise: Mapping[str, Any]
    """Task -> answers asked again, how many changed, and the floor of each metric."""
    files: tuple[tuple[str, str, bool], ...]
    """Name, SHA-256 when written, still the same."""
    unscored: tuple[Unscored, ...]
    rules: Mapping[str, Any]


def provenance(run: Run) -> Provenance:
    m = run.manifest
    environment = dict(m.get("environment") or {})
    packages = environment.pop("packages", None) or {}
    facts = [
        (label, m[key])
        for label, key in (
            ("suite", "suite"),
            ("kind", "kind"),
            ("created", "created"),
            ("seed", "seed"),
            ("sample limit", "limit"),
            ("harness version", "harness_version"),
            ("run fingerprint", "fingerprint"),
        )
        if key in m
    ]
    command = m.get("command") or ""
    files = m.get("files") or {}
    return Provenance(
        facts=tuple(facts),
        command=command if isinstance(command, str) else shlex.join(map(str, command)),
        then=_then(m),
        tasks=m["tasks"],
        variants=m["variants"],
        environment=environment,
        packages=packages,
        timings=m.get("timings") or {},
        noise=m.get("noise") or {},
        files=tuple((name, str(sha), name not in run.tampered) for name, sha in files.items()),
        unscored=tuple(unscored(run)),
        rules=m.get("rules") or {},
    )


def _then(manifest: Mapping[str, Any]) -> str:
    looking = " --sequential" if manifest.get("sequential") else ""
    return f"harness gate RUN{looking}\nharness report RUN{looking}"


def unscored(run: Run) -> list[Unscored]:
    """Scores that are null, counted by their reason, most first."""
    import pyarrow.compute as pc

    missing = run.scores.filter(pc.is_null(run.scores["value"]))
    columns = [missing[key].to_pylist() for key in ("task", "variant", "metric", "reason")]
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for task, variant, metric, reason in zip(*columns, strict=True):
        counts[task, variant, metric, reason or "no reason recorded"] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Unscored(*key, n) for key, n in ordered]
