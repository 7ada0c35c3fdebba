"""Outputs held against a JSON Schema, in bounded time and without a network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from importlib.metadata import version
from typing import Any

from harness import fingerprints
from harness.errors import SuiteError
from harness.scorers import _json
from harness.scorers._patience import SECONDS
from harness.types import Score

_MOST_STEPS = 5
"""Of a path in a remark: a schema that refers to itself makes paths of any length."""

_deadline: ContextVar[float] = ContextVar("deadline")


class Schema:
    """A JSON Schema, of the draft that its ``$schema`` names (else 2020-12).

    ``owner`` begins the messages. Raises SuiteError for a schema that is invalid, that is not
    JSON, or whose patterns could not be bounded in time. ``format`` keywords are not asserted.
    """

    def __init__(self, schema: Mapping[str, Any] | bool, owner: str) -> None:
        self._owner = owner
        self._schema = self._plain(schema)
        self._words = set(_keys(self._schema))
        self._validator = self._made()

    @property
    def said(self) -> str:
        """For a definition: which schema."""
        title = self._schema.get("title") if isinstance(self._schema, dict) else None
        named = f"'{title}', " if title else ""
        return f"the schema ({named}SHA-256 {fingerprints.of(self._schema)[:12]}…)"

    @property
    def version(self) -> str:
        packages = ["jsonschema"]
        if self._words & {"pattern", "patternProperties"}:
            packages.append("regex")
        return ", ".join(f"{package}=={version(package)}" for package in packages)

    def score(self, text: str) -> Score:
        """1, or 0 and what was wrong, in words of the schema only. Unscored: a schema that refers
        to what it does not hold, and a number or a nesting that it cannot be held against. Raises
        TimeoutError for a pattern that takes too long."""
        import referencing.exceptions
        import regex

        try:
            value = _json.parse(text, unique=True)
        except ValueError as error:
            return Score(0.0, _json.why(error))
        before = _deadline.set(time.monotonic() + SECONDS)
        try:
            found = next(self._validator.iter_errors(value), None)
        except referencing.exceptions.Unresolvable as error:
            return Score.unscored(f"the schema refers to '{error.ref}', which it does not hold")
        except regex.error as error:
            return Score.unscored(f"a pattern of the schema is invalid: {error}")
        except RecursionError:
            return Score.unscored("the output is nested too deeply for the schema to be checked")
        except ArithmeticError:
            return Score.unscored("a number is too large for the schema to be checked")
        finally:
            _deadline.reset(before)
        return Score(1.0) if found is None else Score(0.0, self._remark(found))

    def _remark(self, error: Any) -> str:
        steps = [self._step(step) for step in error.absolute_path]
        shown = "".join(f"/{step}" for step in steps[:_MOST_STEPS]) or "the top"
        more = "/…" if len(steps) > _MOST_STEPS else ""
        return f"{error.validator or 'false'} at {shown}{more}"

    def _step(self, step: str | int) -> str:
        # A key that the schema does not name is the output's, and may be anything.
        known = isinstance(step, str) and step in self._words
        return str(step).replace("~", "~0").replace("/", "~1") if known else "*"

    def _plain(self, schema: Any) -> Any:
        if not isinstance(schema, (Mapping, bool)):
            raise SuiteError(
                f"{self._owner}: the JSON schema must be an object, got {schema!r:.80}."
            )
        try:
            # A copy of JSON types: tuples are no arrays to jsonschema.
            return fingerprints.plain(schema)
        except TypeError as error:
            raise SuiteError(f"{self._owner}: the JSON schema is not JSON: {error}") from error
        except RecursionError as error:
            raise SuiteError(f"{self._owner}: the JSON schema is nested too deeply.") from error

    def _made(self) -> Any:
        import jsonschema
        import referencing
        import regex

        if {"unevaluatedProperties", "patternProperties"} <= self._words:
            raise SuiteError(
                f"{self._owner}: the JSON schema has both unevaluatedProperties and "
                "patternProperties, whose patterns could then not be bounded in time. Use "
                "additionalProperties."
            )
        named = isinstance(self._schema, dict) and "$schema" in self._schema
        newest = jsonschema.Draft202012Validator
        kind = jsonschema.validators.validator_for(self._schema, None if named else newest)
        if kind is None:
            raise SuiteError(
                f"{self._owner}: the JSON schema is invalid at $schema: an unknown draft."
            )
        checker = jsonschema.FormatChecker(formats=())
        checker.checks("regex", raises=regex.error)(_compiles)
        try:
            kind.check_schema(self._schema, format_checker=checker)
        except jsonschema.SchemaError as error:
            where = "/".join(str(step) for step in error.absolute_path) or "its top"
            raise SuiteError(
                f"{self._owner}: the JSON schema is invalid at {where}: {error.message:.200}"
            ) from error
        except RecursionError as error:
            raise SuiteError(f"{self._owner}: the JSON schema is nested too deeply.") from error
        # An empty registry: the default one would fetch references from the network.
        return _bounded(kind)(self._schema, registry=referencing.Registry())


def _keys(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, dict):
            yield from inner
            left += inner.values()
        elif isinstance(inner, list):
            left += inner


def _compiles(pattern: Any) -> bool:
    import regex

    return not isinstance(pattern, str) or regex.compile(pattern) is not None


@cache
def _bounded(kind: Any) -> Any:
    """A validator class of jsonschema whose patterns share one deadline."""
    import attrs
    import jsonschema

    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    made = jsonschema.validators.extend(
        kind, {k: f for k, f in own.items() if k in kind.VALIDATORS}
    )
    usual = made.evolve

    def evolve(self: Any, **changes: Any) -> Any:
        new = usual(self, **changes)
        found: Any = type(new)
        if found is made:
            return new
        # A part that names its draft would be given that draft's own class, without a deadline.
        parts = {f.alias: getattr(new, f.name) for f in attrs.fields(found) if f.init}
        return _bounded(found)(**parts)

    made.evolve = evolve
    return made


def _search(pattern: str, text: str) -> bool:
    import regex

    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return regex.search(pattern, text, timeout=left) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if validator.is_type(instance, "string") and not _search(pattern, instance):
        yield jsonschema.ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in patterns.items():
        for key, value in instance.items():
            if _search(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in named or any(_search(pattern, key) for pattern in patterns):
            continue
        if rule is False:
            yield jsonschema.ValidationError("a property that is not allowed")
        else:
            yield from validator.descend(value, rule, path=key)
