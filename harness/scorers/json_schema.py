"""JSON Schema: is the output an object that a program can take as it is?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from harness.errors import SuiteError
from harness.scorers._patience import score_each
from harness.scorers._schema import WHAT, Schema
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class JsonSchema:
    """``json_schema``: 1 where the output, white space at its ends stripped, is strict JSON valid
    under the schema, else 0 with a remark that says why ("not JSON", "required at /items").

    Strict: no NaN, no text around it, no key twice in an object, at most 100 levels of brackets.
    The draft is the schema's ``$schema``, else 2020-12; ``format`` keywords are not asserted and
    no reference is fetched. Numbers are compared exactly, as they are written. The check of an
    output has a second. A remark holds words of the schema and nothing of the output ("*" stands
    for an index or a key of its own). Raises SuiteError for an invalid schema, with where and why.
    """

    schema: Mapping[str, Any] | bool | None = None

    needs_target: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.schema is None:
            raise SuiteError(
                "JsonSchema needs schema={…}: the JSON Schema that an output must fit."
            )
        # Read at once, so that a mistake shows when the suite is read.
        _ = self._schema

    @property
    def metrics(self) -> tuple[Metric, ...]:
        definition = (
            "1 if the output, white space at the ends stripped, is strict JSON valid under "
            f"{self._schema.said}; else 0"
        )
        return (Metric("json_schema", definition, binary=True, version=self._schema.version),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction, each distinct one looked at once; targets are not looked
        at. Unscored: a check that takes too long, a schema that refers to what it does not hold, a
        nesting or a size beyond what jsonschema can check."""
        texts = [prediction.strip() for prediction in predictions]
        scores = score_each(texts, self._schema.score, WHAT)
        return [{"json_schema": score} for score in scores]

    @cached_property
    def _schema(self) -> Schema:
        assert self.schema is not None
        return Schema(self.schema, "JsonSchema")
