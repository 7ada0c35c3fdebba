"""Which variants of a run differ in retrieval alone, in the adapter alone, in both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SAME = ("model", "system", "shots", "generation")
"""What variants must agree in for a difference to be laid to retrieval or adapter."""


@dataclass(frozen=True)
class Contrast:
    """An effect as a sum of variants' values: those of ``plus`` less those of ``minus``."""

    name: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def retrieves(self) -> bool:
        return self.name != ADAPTER


@dataclass(frozen=True)
class _Variant:
    name: str
    recipe: Mapping[str, Any]
    weights: str | None
    """SHA-256 of the adapter, where known."""

    @property
    def precision(self) -> Any:
        return self.recipe.get("precision")


RETRIEVAL, ADAPTER, BOTH, INTERACTION = "retrieval alone", "adapter alone", "both", "interaction"


def contrasts(variants: Mapping[str, Any]) -> list[Contrast]:
    """Every contrast that the manifest's ``variants`` support, in the order of the effects.

    A variant without a recipe (imported) is in none. Of several possible references the one at
    the same precision is taken; where there is none, each of the others, with a note. The
    interaction needs the same retriever twice, and takes the same adapter twice where it can.
    """
    groups: dict[str, list[_Variant]] = {}
    for name, entry in variants.items():
        recipe = (entry or {}).get("recipe")
        if recipe:
            weights = (entry.get("fingerprints") or {}).get("adapter_sha256")
            alike = json.dumps([recipe.get(key) for key in SAME], sort_keys=True)
            groups.setdefault(alike, []).append(_Variant(name, recipe, weights))
    found = [contrast for group in groups.values() for contrast in _within(group)]
    order = (RETRIEVAL, ADAPTER, BOTH, INTERACTION)
    return sorted(found, key=lambda c: order.index(c.name))


def _within(group: Sequence[_Variant]) -> Iterator[Contrast]:
    bases, retrieving, adapted, both = (
        [
            v
            for v in group
            if ("retriever" in v.recipe, "adapter" in v.recipe) == (retrieves, adapts)
        ]
        for retrieves, adapts in ((False, False), (True, False), (False, True), (True, True))
    )
    for name, changed in ((RETRIEVAL, retrieving), (ADAPTER, adapted), (BOTH, both)):
        for v in changed:
            for base in _at_precision(v, bases):
                yield _contrast(name, (v,), (base,))
    for ra in both:
        same = [r for r in retrieving if r.recipe["retriever"] == ra.recipe["retriever"]]
        for a in _at_precision(ra, _with_adapter(ra, adapted)):
            for r in _at_precision(a, same):
                for base in _at_precision(r, bases):
                    yield _contrast(INTERACTION, (ra, base), (a, r))


def _at_precision(like: _Variant, others: Sequence[_Variant]) -> Sequence[_Variant]:
    """Those at the precision of ``like``, or all where there is none."""
    return [v for v in others if v.precision == like.precision] or others


def _with_adapter(like: _Variant, others: Sequence[_Variant]) -> Sequence[_Variant]:
    return [v for v in others if _same_adapter(v, like)] or others


def _same_adapter(one: _Variant, other: _Variant) -> bool:
    if one.weights is not None and other.weights is not None:
        return one.weights == other.weights
    return bool(one.recipe["adapter"] == other.recipe["adapter"])


def _contrast(name: str, plus: tuple[_Variant, ...], minus: tuple[_Variant, ...]) -> Contrast:
    notes = []
    at: dict[str, list[str]] = {}
    for v in (*plus, *minus):
        at.setdefault(str(v.precision), []).append(f"'{v.name}'")
    if len(at) > 1:
        said = " and ".join(f"{', '.join(names)} at {precision}" for precision, names in at.items())
        notes.append(f"{said}: part of the effect is the precision")
    if name == INTERACTION and not _same_adapter(plus[0], minus[0]):
        notes.append(
            f"'{plus[0].name}' and '{minus[0].name}' hold different adapters: part of the "
            "interaction is the other training"
        )
    return Contrast(name, _names(plus), _names(minus), tuple(notes))


def _names(variants: Iterable[_Variant]) -> tuple[str, ...]:
    return tuple(v.name for v in variants)
