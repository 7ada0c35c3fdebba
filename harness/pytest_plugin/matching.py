"""Does a stored run answer the question that the suite asks today? What differs, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from harness import recipes
from harness.errors import HarnessError
from harness.store.runs import Run
from harness.types import Suite, Task

_TOLD = ("version", "system", "prompt", "passages", "max_new_tokens")
"""Keys of a task in ``run.json`` that are those of a ``Task``."""


def differences(suite: Suite, run: Run) -> list[str]:
    """What the run was measured with that the suite no longer has, or has otherwise.

    Rules may differ: a stored run is gated by the suite's rules of today. Of an imported run only
    names are known. Weights are not hashed again.
    """
    manifest = run.manifest
    if manifest.get("kind") != "run":
        return list(_names(suite, manifest))
    found = list(_suite_name(suite, manifest))
    found += _names(suite, manifest)
    for task in suite.tasks:
        told = manifest["tasks"].get(task.name)
        if told is not None:
            found += _task(task, told)
    for variant in suite.variants:
        told = manifest["variants"].get(variant.name)
        if told is not None:
            found += _recipe(variant.name, recipes.variant_to_dict(variant), told)
    return found or list(_data(suite, manifest))


def _suite_name(suite: Suite, manifest: Mapping[str, Any]) -> Iterator[str]:
    if manifest.get("suite") != suite.name:
        yield f"the run is of suite '{manifest.get('suite')}'"


def _names(suite: Suite, manifest: Mapping[str, Any]) -> Iterator[str]:
    absent = manifest.get("not_measured") or {}
    tasks = [task.name for task in suite.tasks]
    variants = [variant.name for variant in suite.variants]
    known = {*manifest["variants"], *absent}
    for kind, ours, theirs in (
        ("task", tasks, list(manifest["tasks"])),
        ("variant", variants, list(known)),
    ):
        for name in ours:
            if name not in theirs:
                yield f"the run has no {kind} '{name}'"
        for name in theirs:
            if name not in ours and manifest.get("kind") == "run":
                yield f"the suite has no {kind} '{name}', and the run has"


def _task(task: Task, told: Mapping[str, Any]) -> Iterator[str]:
    from harness.scorers import resolve

    for key in _TOLD:
        if key in told and told[key] != getattr(task, key):
            yield (
                f"task '{task.name}': {key} is {_short(getattr(task, key))} in the suite and "
                f"{_short(told[key])} in the run"
            )
    ours = {metric.name: metric for s in task.scorers for metric in resolve(s).metrics}
    theirs = told.get("metrics") or {}
    for name in ours.keys() | theirs.keys():
        if name not in theirs:
            yield f"task '{task.name}': the run has no metric '{name}'"
        elif name not in ours:
            yield f"task '{task.name}': the suite no longer has the metric '{name}'"
        elif theirs[name].get("definition") != ours[name].definition:
            yield f"task '{task.name}': the metric '{name}' was defined otherwise"


def _recipe(name: str, ours: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    theirs = told.get("recipe") or {}
    for key in dict.fromkeys([*ours, *theirs]):
        if _placeless(ours.get(key)) != _placeless(theirs.get(key)):
            yield (
                f"variant '{name}': {key} is {_short(ours.get(key))} in the suite and "
                f"{_short(theirs.get(key))} in the run"
            )


def _placeless(value: Any) -> Any:
    """A folder on another machine is the same where its name is: checkouts lie where they like."""
    if isinstance(value, Mapping):
        return {key: _placeless(inner) for key, inner in value.items()}
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def _data(suite: Suite, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The data as the suite makes them now, with the run's seed and limit."""
    from harness.pipeline.inputs import first_rows, load, permuted

    seed, limit = int(manifest.get("seed") or 0), manifest.get("limit")
    try:
        inputs = load(suite, suite.variants, seed=seed, limit=limit)
    except HarnessError as error:
        yield f"the suite's data cannot be made, so nothing shows that they are the same: {error}"
        return
    for one in inputs:
        told = manifest["tasks"][one.task.name]
        if manifest.get("sequential"):
            one = first_rows(permuted(one, seed), int(told.get("n") or 0))
        if told.get("data_sha256") != one.data_sha256:
            yield f"task '{one.task.name}': the data changed after the run was measured"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
