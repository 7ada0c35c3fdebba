"""JSON fields: which values of an object did the output get right?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from harness.errors import SuiteError
from harness.scorers import _json
from harness.scorers._options import strings
from harness.scorers._targets import BEST, best_of_targets
from harness.types import Metric, Sample, Score

_PARTS = {
    "json_fields": "F1 (harmonic mean of precision and recall) of the fields",
    "json_fields_p": "precision: the share of the output's fields that the target has as well,",
    "json_fields_r": "recall: the share of the target's fields that the output has as well,",
}
_ABSENT = "neither side has the field"

Fields = Mapping[str, object]
"""Path to value, normalised."""


@dataclass(frozen=True)
class JsonFields:
    """``json_fields`` (F1), ``json_fields_p``, ``json_fields_r``, and ``json_field_<FIELD>`` for
    each of ``fields``.

    Prediction and targets are JSON objects (strict, no key twice). A field is a path through
    nested objects to a value that is no object or an empty one: "address/city", with "~1" for a
    "/" in a key and "~0" for a "~" (as in RFC 6901, which begins with a "/" that is left out
    here). Fields are equal where path and value are: an array as a whole and in order, a number by
    its exact value (1 is 1.0, 0.1 is not 0.10000000000000001, true is not 1), text without white
    space at its ends. The precision of an output without fields is 0, the recall of a target
    without is 0; all three are 1 where both have none.

    A named field has the F1 of the fields at its path and below: 1 or 0 for a single value; 1 with
    a remark where neither side has it. An output that is no such object scores 0 in all metrics.
    A target that is none leaves the sample unscored.
    """

    fields: Sequence[str] = ()
    ignore_case: bool = False

    def __post_init__(self) -> None:
        names = strings("JsonFields", "fields", self.fields)
        for name in names:
            if not name or name.startswith("/") or re.search("~(?![01])", name):
                raise SuiteError(
                    f"JsonFields: the field {name!r} is no path. Write 'address/city', without a "
                    "'/' before it, and '~1' for a '/' in a key, '~0' for a '~'."
                )
        if len(set(names)) < len(names):
            raise SuiteError(f"JsonFields: two of the fields {list(names)} are the same.")
        object.__setattr__(self, "fields", names)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        case = "case ignored" if self.ignore_case else "case kept"
        rule = (
            "equal in path and value; paths lead through nested objects, arrays are compared as a "
            "whole, numbers by exact value, text with white space at the ends stripped and "
            f"{case}; 1 if both sides have none, 0 if the output is no JSON object or has a key "
            f"twice; {BEST}"
        )
        version = "harness.json_fields==1"
        whole = (Metric(name, f"{what} {rule}", version=version) for name, what in _PARTS.items())
        each = (
            Metric(_name(field), f"F1 of the fields at {field!r} and below {rule}", version=version)
            for field in self.fields
        )
        return (*whole, *each)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values in [0, 1] for each prediction; each distinct (prediction, target) is computed
        once."""
        names = [metric.name for metric in self.metrics]
        return best_of_targets(names, predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        names = [metric.name for metric in self.metrics]
        try:
            wanted = self._read(target)
        except ValueError as error:
            why = f"a target is no JSON object: {_json.why(error)}"
            return dict.fromkeys(names, Score.unscored(why))
        try:
            found = self._read(prediction)
        except ValueError as error:
            return dict.fromkeys(names, Score(0.0, f"no JSON object: {_json.why(error)}"))
        f1, precision, recall = _overlap(found, wanted)
        scores = {
            "json_fields": Score(f1),
            "json_fields_p": Score(precision),
            "json_fields_r": Score(recall),
        }
        for field in self.fields:
            left, right = _below(found, field), _below(wanted, field)
            absent = None if left or right else _ABSENT
            scores[_name(field)] = Score(_overlap(left, right)[0], absent)
        return scores

    def _read(self, text: str) -> Fields:
        """Raises ValueError where ``text`` is no JSON object."""
        value = _json.parse(text, unique=True, exact=True)
        if not isinstance(value, dict):
            raise _json.Refused("another JSON value")
        found: dict[str, object] = {}
        self._collect(value, "", found)
        return found

    def _collect(self, value: dict[str, Any], above: str, found: dict[str, object]) -> None:
        for key, inner in value.items():
            path = above + key.replace("~", "~0").replace("/", "~1")
            if isinstance(inner, dict) and inner:
                self._collect(inner, f"{path}/", found)
            else:
                found[path] = self._normal(inner)

    def _normal(self, value: Any) -> object:
        if isinstance(value, str):
            text = value.strip()
            return text.casefold() if self.ignore_case else text
        if isinstance(value, list):
            return [self._normal(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self._normal(inner) for key, inner in value.items()}
        # Python takes true for 1.
        return value if isinstance(value, Decimal) else (value,)


def _name(field: str) -> str:
    return f"json_field_{field}"


def _below(fields: Fields, path: str) -> Fields:
    return {p: v for p, v in fields.items() if p == path or p.startswith(f"{path}/")}


def _overlap(found: Fields, wanted: Fields) -> tuple[float, float, float]:
    """F1, precision and recall."""
    if not found and not wanted:
        return 1.0, 1.0, 1.0
    equal = sum(path in wanted and wanted[path] == value for path, value in found.items())
    f1 = 2 * equal / (len(found) + len(wanted))
    return f1, equal / len(found) if found else 0.0, equal / len(wanted) if wanted else 0.0
