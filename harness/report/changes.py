"""What is not the same in two runs: data, recipes, versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST = 400
"""Characters of a value that are shown; the rest is in the runs."""


@dataclass(frozen=True, slots=True)
class Change:
    what: str
    before: str
    now: str


def data_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Of the tasks: samples, prompts, metrics and their versions."""
    return changes(before["tasks"], now["tasks"])


def recipe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Of the variants, their weights, how they were trained, and the rules."""
    found = changes(_variants(before), _variants(now))
    found += [
        Change(f"rules.{c.what}", c.before, c.now)
        for c in changes(before.get("rules") or {}, now.get("rules") or {})
    ]
    return found


def version_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Of the harness, the packages and the machine, and of seed and limits."""
    keys = ("harness_version", "schema_version", "seed", "limit", "repeats", "environment")
    sides = [{key: side[key] for key in keys if key in side} for side in (before, now)]
    # How much memory a run took is measured: no setting, and never twice the same.
    return [c for c in changes(*sides) if c.what != "environment.peak_memory_bytes"]


def _variants(manifest: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("has_adapter", "has_retriever", "recipe", "fingerprints")
    return {
        name: {key: (about or {}).get(key) for key in parts}
        for name, about in manifest["variants"].items()
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Each value that differs, by its dotted key; what one side lacks is said once, not key by
    key."""
    found = []
    for name in dict.fromkeys([*before, *now]):
        if name not in now or name not in before:
            there = "present" if name in before else "absent"
            found.append(Change(str(name), there, "absent" if name in before else "present"))
            continue
        sides = dict(_flat(before[name], str(name))), dict(_flat(now[name], str(name)))
        for key in dict.fromkeys([*sides[0], *sides[1]]):
            old, new = (_said(side[key]) if key in side else "absent" for side in sides)
            if old != new:
                found.append(Change(key, old, new))
    return found


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}")
    elif _is_rows(value):
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{i}]")
    else:
        yield name, value


def _is_rows(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return listed and bool(value) and all(isinstance(x, Mapping) for x in value)


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} … ({len(text):,} characters)"
