"""How far a server's answers are those of the model in process: the same recipe in both places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from harness.store.runs import Run

_PLACE = frozenset({"name", "model", "precision", "server", "adapter", "cost_per_1k_tokens"})
"""Keys of a recipe that say where a variant runs, and not what it is."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One task, answered by a variant on a server and by its twin in this process."""

    task: str
    served: str
    local: str
    n: int
    """Samples that both answered."""
    identical: int
    """Answers that are the same text."""
    shared: float | None
    """Mean share of the longer answer, in characters, before the two part: with greedy decoding
    both have read the same up to there, and the next token is the first they disagree on."""
    differences: Mapping[str, float]
    """Metric to mean score of the served less the local one, over samples that both scored."""


def agreements(run: Run) -> list[Agreement]:
    """A row for each task and each pair of variants that differ only in where they run; none where
    answers are drawn at random, which differ for that alone. An adapter on a server is taken for
    the local one: whether it has the same weights cannot be known."""
    texts: dict[tuple[str, str], dict[str, str]] = {}
    names = ("task", "variant", "sample_id", "output")
    for task, variant, sample, text in _rows(run.outputs, names):
        if text is not None:
            texts.setdefault((task, variant), {})[sample] = text
    scores: dict[tuple[str, str, str], dict[str, float]] = {}
    for task, variant, metric, sample, value in _rows(
        run.scores, ("task", "variant", "metric", "sample_id", "value")
    ):
        if value is not None:
            scores.setdefault((task, variant, metric), {})[sample] = value
    return [
        _agreement(task, served, local, texts, scores)
        for served, local in twins(run.manifest)
        for task in run.manifest["tasks"]
    ]


def twins(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(served, local) variants of one recipe but for the place."""
    recipes = {v: (about or {}).get("recipe") or {} for v, about in manifest["variants"].items()}
    for served, there in recipes.items():
        for local, here in recipes.items():
            if "server" in there and here and "server" not in here and _alike(there, here):
                yield served, local


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if any((r.get("generation") or {}).get("temperature") for r in (one, other)):
        return False
    same = {k: v for k, v in one.items() if k not in _PLACE} == {
        k: v for k, v in other.items() if k not in _PLACE
    }
    return same and ("adapter" in one) == ("adapter" in other)


def _agreement(
    task: str,
    served: str,
    local: str,
    texts: Mapping[tuple[str, str], Mapping[str, str]],
    scores: Mapping[tuple[str, str, str], Mapping[str, float]],
) -> Agreement:
    there, here = texts.get((task, served), {}), texts.get((task, local), {})
    pairs = [(there[s], here[s]) for s in there if s in here]
    shared = [_shared(a, b) for a, b in pairs]
    differences = {}
    for metric in dict.fromkeys(m for t, v, m in scores if (t, v) == (task, served)):
        mine, other = scores[task, served, metric], scores.get((task, local, metric), {})
        both = [mine[s] - other[s] for s in mine if s in other]
        if both:
            differences[metric] = sum(both) / len(both)
    return Agreement(
        task,
        served,
        local,
        len(pairs),
        sum(a == b for a, b in pairs),
        sum(shared) / len(shared) if shared else None,
        differences,
    )


def _shared(one: str, other: str) -> float:
    longer = max(len(one), len(other))
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same) / longer if longer else 1.0


def _rows(table: Any, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    if set(names) <= set(table.column_names):
        yield from zip(*(table[name].to_pylist() for name in names), strict=True)
