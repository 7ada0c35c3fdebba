"""Format: has the output the form that whoever reads it next relies on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from harness import fingerprints
from harness.errors import SuiteError
from harness.scorers import _json
from harness.types import Metric, Sample, Score

_SECONDS = 1.0
"""A pattern may need exponential time; after this long the output is unscored."""


@dataclass(frozen=True)
class Format:
    """``format``: 1 where the output, white space at its ends stripped, has the form, else 0.

    Exactly one of ``regex`` (matches the whole of it; syntax of the package ``regex``),
    ``labels`` (is one of them) and ``schema`` (is strict JSON that the JSON Schema allows; no
    reference is fetched). Raises SuiteError for none or several, and for an invalid one.
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
        # Compiled at once, so that a mistake shows when the suite is read.
        _ = self._pattern, self._validator

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("format", self._definition(), binary=True, version=self._version()),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction; targets are not looked at. Unscored: a pattern that
        takes too long, a schema that refers to what it does not hold."""
        return [{"format": self._one(prediction.strip())} for prediction in predictions]

    def _one(self, text: str) -> Score:
        if self._pattern is not None:
            try:
                return Score(float(self._pattern.fullmatch(text, timeout=_SECONDS) is not None))
            except TimeoutError:
                return Score.unscored(f"the regex took longer than {_SECONDS:g} s")
        if self.labels is not None:
            return Score(float(text in self.labels))
        return self._json(text)

    def _json(self, text: str) -> Score:
        import referencing.exceptions

        try:
            value = _json.parse(text)
        except ValueError:
            return Score(0.0)
        try:
            return Score(float(self._validator.is_valid(value)))
        except referencing.exceptions.Unresolvable as error:
            return Score.unscored(f"the schema refers to '{error.ref}', which it does not hold")
        except RecursionError:
            return Score.unscored("the output is nested too deeply for the schema to be checked")

    def _definition(self) -> str:
        text = "1 if the output, white space at the ends stripped, "
        if self.regex is not None:
            return f"{text}matches the whole of the regex {self.regex!r}; else 0"
        if self.labels is not None:
            return f"{text}is one of {list(self.labels)}; else 0"
        digest = fingerprints.of(self.schema)[:12]
        title = self.schema.get("title") if isinstance(self.schema, Mapping) else None
        named = f"'{title}', " if title else ""
        return f"{text}is strict JSON valid under the schema ({named}SHA-256 {digest}…); else 0"

    def _version(self) -> str:
        if self.labels is not None:
            return "harness.format==1"
        package = "regex" if self.regex is not None else "jsonschema"
        return f"{package}=={version(package)}"

    @cached_property
    def _pattern(self) -> Any:
        if self.regex is None:
            return None
        import regex

        try:
            return regex.compile(self.regex)
        except (regex.error, TypeError) as error:
            raise SuiteError(f"Format: the regex {self.regex!r} is invalid: {error}") from error

    @cached_property
    def _validator(self) -> Any:
        if self.schema is None:
            return None
        import jsonschema
        import referencing

        if not isinstance(self.schema, (Mapping, bool)):
            raise SuiteError(f"Format: the JSON schema must be an object, got {self.schema!r}.")
        named = isinstance(self.schema, Mapping) and "$schema" in self.schema
        newest = jsonschema.Draft202012Validator
        kind = jsonschema.validators.validator_for(self.schema, None if named else newest)
        if kind is None:
            raise SuiteError("Format: the JSON schema is invalid at $schema: an unknown draft.")
        try:
            kind.check_schema(self.schema)
        except jsonschema.SchemaError as error:
            where = "/".join(str(step) for step in error.absolute_path) or "its top"
            raise SuiteError(
                f"Format: the JSON schema is invalid at {where}: {error.message}"
            ) from error
        # An empty registry: the default one would fetch references from the network.
        return kind(self.schema, registry=referencing.Registry())


def _labels(labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise SuiteError(f"Format: labels must be a list of strings, got {labels!r}.")
    stripped = [label for label in labels if label != label.strip()]
    if not labels or stripped:
        wrong = f"{stripped[0]!r} has white space at its ends" if stripped else "there is none"
        raise SuiteError(
            f"Format: no output can be one of the labels: {wrong}, and outputs are stripped."
        )
    return tuple(labels)
