"""Format: has the output the form that whoever reads it next relies on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from harness.errors import SuiteError
from harness.scorers._options import strings
from harness.scorers._patience import SECONDS, score_each
from harness.scorers._schema import WHAT, Schema
from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class Format:
    """``format``: 1 where the output, white space at its ends stripped, has the form, else 0.

    Exactly one of ``regex`` (matches the whole of it; syntax of the package ``regex``),
    ``labels`` (is one of them) and ``schema`` (is strict JSON that the JSON Schema allows, as in
    ``json_schema``). Raises SuiteError for none or several, and for an invalid one.
    """

    regex: str | None = None
    labels: Sequence[str] | None = None
    schema: Mapping[str, Any] | bool | None = None

    needs_target: ClassVar[bool] = False

    def __post_init__(self) -> None:
        given = [o for o in (self.regex, self.labels, self.schema) if o is not None]
        if len(given) != 1:
            raise SuiteError(
                "Format needs exactly one of regex=…, labels=[…] and schema={…}, "
                f"got {len(given)}."
            )
        if self.labels is not None:
            object.__setattr__(self, "labels", _labels(self.labels))
        if self.regex is not None and not isinstance(self.regex, str):
            raise SuiteError(f"Format: regex must be a string, got {self.regex!r:.80}.")
        # Compiled at once, so that a mistake shows when the suite is read.
        _ = self._pattern, self._schema

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("format", self._definition(), binary=True, version=self._version()),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction, each distinct one looked at once; targets are not looked
        at. Unscored: a pattern that takes too long, a schema that refers to what it does not
        hold."""
        what = "the regex" if self.regex is not None else WHAT
        texts = [prediction.strip() for prediction in predictions]
        return [{"format": score} for score in score_each(texts, self._one, what)]

    def _one(self, text: str) -> Score:
        if self._pattern is not None:
            return Score(float(self._pattern.fullmatch(text, timeout=SECONDS) is not None))
        if self._schema is not None:
            return self._schema.score(text)
        return Score(float(text in (self.labels or ())))

    def _definition(self) -> str:
        text = "1 if the output, white space at the ends stripped, "
        if self._schema is not None:
            return f"{text}is strict JSON valid under {self._schema.said}; else 0"
        if self.regex is not None:
            return f"{text}matches the whole of the regex {self.regex!r}; else 0"
        return f"{text}is one of {list(self.labels or ())}; else 0"

    def _version(self) -> str:
        if self._schema is not None:
            return self._schema.version
        if self.regex is not None:
            return f"regex=={version('regex')}"
        return "harness.format==1"

    @cached_property
    def _pattern(self) -> Any:
        if self.regex is None:
            return None
        import regex

        try:
            return regex.compile(self.regex)
        except regex.error as error:
            raise SuiteError(f"Format: the regex {self.regex!r} is invalid: {error}.") from error
        except RecursionError as error:
            raise SuiteError(
                f"Format: the regex {self.regex!r:.80} … is nested too deeply. Write it with fewer "
                "brackets inside each other."
            ) from error

    @cached_property
    def _schema(self) -> Schema | None:
        return None if self.schema is None else Schema(self.schema, "Format")


def _labels(given: Sequence[str]) -> tuple[str, ...]:
    labels = strings("Format", "labels", given)
    stripped = [label for label in labels if label != label.strip()]
    if not labels or stripped:
        wrong = f"{stripped[0]!r} has white space at its ends" if stripped else "there is none"
        raise SuiteError(
            f"Format: no output can be one of the labels: {wrong}, and outputs are stripped."
        )
    return labels
