"""Entities: which names and types of names did the output find?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import SuiteError
from harness.scorers import _json
from harness.scorers._options import strings
from harness.scorers._targets import BEST, best_of_targets
from harness.scorers._text import multiset_f1
from harness.types import Metric, Sample, Score

Entity = tuple[str, str]
"""Text and type, normalised."""


@dataclass(frozen=True)
class Entities:
    """``entity_f1``, and ``entity_f1_<TYPE>`` for each of ``types``.

    Prediction and targets are JSON arrays of ``{"text": …, "type": …}`` (other keys are not
    looked at). The F1 is each sample's own, over the multiset of its entities; a mean over
    samples is therefore a macro average, not the corpus-level F1 of CoNLL-2003. An output that is
    no such array scores 0. A target that is none, or has a type that is not in ``types`` where
    they are given, leaves the sample unscored.
    """

    types: Sequence[str] = ()

    def __post_init__(self) -> None:
        types = strings("Entities", "types", self.types)
        if len({_normal(t) for t in types}) != len(types):
            raise SuiteError(f"Entities: two of the types {list(types)} are the same.")
        object.__setattr__(self, "types", types)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        # In one order, as it does not matter to the values.
        known = sorted(_normal(t) for t in self.types)
        strict = f"; unscored if a target has a type that is none of {known}" if known else ""
        rule = (
            "over the multiset of (text, type), case ignored and runs of white space one space; "
            f"1 if both sides have none, 0 if the output is not such JSON{strict}; {BEST}"
        )
        version = "harness.entities==1"
        whole = Metric("entity_f1", f"F1 of a sample's entities {rule}", version=version)
        each = (
            Metric(_name(t), f"F1 of a sample's entities of type {t} {rule}", version=version)
            for t in self.types
        )
        return (whole, *each)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values in [0, 1] for each prediction."""
        names = [metric.name for metric in self.metrics]
        return best_of_targets(names, predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        names = [metric.name for metric in self.metrics]
        try:
            wanted = _read(target)
        except ValueError as error:
            return dict.fromkeys(names, Score.unscored(f"a target is not entities: {error}"))
        known = {_normal(t) for t in self.types}
        strange = sorted({kind for _, kind in wanted} - known) if known else []
        if strange:
            why = f"a target has the type '{strange[0]}', which the scorer's types lack"
            return dict.fromkeys(names, Score.unscored(why))
        try:
            found = _read(prediction)
        except ValueError:
            return dict.fromkeys(names, Score(0.0))
        scores = {"entity_f1": Score(multiset_f1(found, wanted))}
        for t in self.types:
            kind = _normal(t)
            value = multiset_f1(
                [e for e in found if e[1] == kind], [e for e in wanted if e[1] == kind]
            )
            scores[_name(t)] = Score(value)
        return scores


def _name(kind: str) -> str:
    return f"entity_f1_{kind}"


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _read(text: str) -> list[Entity]:
    """Raises ValueError where ``text`` is not a JSON array of entities."""
    value = _json.parse(text)
    if not isinstance(value, list):
        raise ValueError("not a JSON array")
    return [_entity(item) for item in value]


def _entity(item: Any) -> Entity:
    if not isinstance(item, dict):
        raise ValueError("an item is not an object")
    text, kind = item.get("text"), item.get("type")
    if not isinstance(text, str) or not isinstance(kind, str):
        raise ValueError("an item lacks a string 'text' or 'type'")
    return _normal(text), _normal(kind)
