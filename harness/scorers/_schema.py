"""Outputs held against a JSON Schema, in bounded time and without a network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from harness import fingerprints
from harness.errors import SuiteError
from harness.scorers import _json
from harness.scorers._keywords import TooMany, bounded, exact, validator_class
from harness.types import Score

WHAT = "the check against the schema"
"""For ``score_each``: what took too long."""
_MOST_STEPS = 5
"""Of a path in a remark: a schema that refers to itself makes paths of any length."""


class Schema:
    """A JSON Schema, of the draft that its ``$schema`` names (else 2020-12).

    ``owner`` begins the messages. Raises SuiteError for a schema that is invalid, that is not
    JSON, or whose patterns could not be bounded in time. ``format`` keywords are not asserted.
    Numbers of the schema are the shortest decimals that are read as them, those of an output are
    what is written; both are compared exactly.
    """

    def __init__(self, schema: Mapping[str, Any] | bool, owner: str) -> None:
        self._owner = owner
        self._keywords: set[str] = set()
        try:
            self._schema = self._plain(schema)
            self._words = set(_keys(self._schema))
            self._validator = self._made()
        except RecursionError as error:
            raise SuiteError(f"{owner}: the JSON schema is nested too deeply.") from error

    @property
    def said(self) -> str:
        """For a definition: which schema."""
        title = self._schema.get("title") if isinstance(self._schema, dict) else None
        named = f"'{title}', " if title else ""
        which = f"the schema ({named}SHA-256 {fingerprints.of(self._schema)[:12]}…)"
        return f"{which}, numbers compared exactly as they are written"

    @property
    def version(self) -> str:
        packages = ["jsonschema"]
        if self._keywords & {"pattern", "patternProperties"}:
            packages.append("regex")
        return ", ".join(f"{package}=={version(package)}" for package in packages)

    def score(self, text: str) -> Score:
        """1, or 0 and what was wrong, in words of the schema only. Unscored: a schema that refers
        to what it does not hold, a nesting that it cannot be held against, and more items than
        ``unevaluatedItems`` is looked at. Raises TimeoutError where that takes too long."""
        import referencing.exceptions
        import regex

        try:
            value = _json.parse(text, unique=True, exact_fractions=True)
        except ValueError as error:
            return Score(0.0, _json.why(error))
        try:
            with bounded():
                found = next(self._validator.iter_errors(value), None)
        except referencing.exceptions.Unresolvable as error:
            return Score.unscored(f"the schema refers to '{error.ref}', which it does not hold")
        except regex.error as error:
            return Score.unscored(f"a pattern of the schema is invalid: {error}")
        except RecursionError:
            return Score.unscored("the output is nested too deeply for the schema to be checked")
        except TooMany:
            return Score.unscored("an array or object is too large for unevaluated… to be checked")
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
            plain = fingerprints.plain(schema)
        except TypeError as error:
            raise SuiteError(f"{self._owner}: the JSON schema is not JSON: {error}") from error
        for where, number in _numbers(plain):
            if isinstance(number, float) and not math.isfinite(number):
                raise self._invalid(where, f"{number} is no JSON number. Write a finite one.")
            if isinstance(number, int) and abs(number) >= 10**_json.MOST_DIGITS:
                why = f"a whole number of more than {_json.MOST_DIGITS:,} digits."
                raise self._invalid(where, why)
        return plain

    def _invalid(self, where: str, why: str) -> SuiteError:
        return SuiteError(f"{self._owner}: the JSON schema is invalid at {where}: {why}")

    def _made(self) -> Any:
        import jsonschema
        import referencing

        draft = self._schema.get("$schema") if isinstance(self._schema, dict) else None
        newest = jsonschema.Draft202012Validator
        kind = newest
        if isinstance(self._schema, dict) and "$schema" in self._schema:
            known = isinstance(draft, str)
            kind = jsonschema.validators.validator_for(self._schema, None) if known else None
        if kind is None:
            raise self._invalid(
                "$schema",
                f"an unknown draft, {draft!r:.80}. Write the address of one, such as "
                f"'{newest.META_SCHEMA['$id']}', or leave it out.",
            )
        self._check(self._schema, kind)
        self._follow(kind)
        if {"unevaluatedProperties", "patternProperties"} <= self._keywords:
            raise SuiteError(
                f"{self._owner}: the JSON schema has both unevaluatedProperties and "
                "patternProperties, whose patterns could then not be bounded in time. Use "
                "additionalProperties."
            )
        # An empty registry: the default one would fetch references from the network.
        return validator_class(kind)(exact(self._schema), registry=referencing.Registry())

    def _check(self, part: Any, kind: Any, place: str = "") -> None:
        import jsonschema
        import regex

        checker = jsonschema.FormatChecker(formats=())
        checker.checks("regex", raises=regex.error)(_compiles)
        try:
            kind.check_schema(part, format_checker=checker)
        except jsonschema.SchemaError as error:
            steps = [place] * bool(place) + [str(step) for step in error.absolute_path]
            raise self._invalid("/".join(steps) or "its top", f"{error.message:.200}.") from error

    def _follow(self, kind: Any) -> None:
        """Through all parts that are schemas, those included that only a reference leads to."""
        import referencing.exceptions
        import referencing.jsonschema

        draft = referencing.jsonschema.specification_with(kind.ID_OF(kind.META_SCHEMA))
        top = draft.create_resource(self._schema)
        left = [(top, referencing.Registry().resolver_with_root(top))]
        references: list[tuple[str, Any]] = []
        seen: set[int] = set()
        while left or references:
            if not left:
                # Last, as most lead to parts that were seen by then.
                reference, resolver = references.pop()
                try:
                    found = resolver.lookup(reference)
                except referencing.exceptions.Unresolvable:
                    # No output may come there.
                    continue
                except ValueError as error:
                    raise self._invalid(f"$ref '{reference:.80}'", f"{error}.") from error
                if id(found.contents) in seen:
                    continue
                self._check(found.contents, kind, reference)
                left.append((draft.create_resource(found.contents), found.resolver))
            part, resolver = left.pop()
            seen.add(id(part.contents))
            if not isinstance(part.contents, dict):
                continue
            self._keywords |= part.contents.keys()
            name = part.id() or ""
            try:
                urlsplit(name)
            except ValueError as error:
                raise self._invalid(f"$id '{name:.80}'", f"{error}.") from error
            for inner in part.subresources():
                left.append((inner, resolver.in_subresource(inner)))
            for key in ("$ref", "$dynamicRef"):
                if isinstance(part.contents.get(key), str):
                    references.append((part.contents[key], resolver))


def _keys(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, dict):
            yield from inner
            left += inner.values()
        elif isinstance(inner, list):
            left += inner


def _numbers(value: Any) -> Iterator[tuple[str, int | float]]:
    """Every number, with the path to it."""
    left = [("", value)]
    while left:
        path, inner = left.pop()
        if isinstance(inner, dict):
            left += ((f"{path}/{key}", item) for key, item in inner.items())
        elif isinstance(inner, list):
            left += ((f"{path}/{i}", item) for i, item in enumerate(inner))
        elif isinstance(inner, (int, float)):
            yield path.removeprefix("/"), inner


def _compiles(pattern: Any) -> bool:
    import regex

    return not isinstance(pattern, str) or regex.compile(pattern) is not None
