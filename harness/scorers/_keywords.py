"""A validator of jsonschema with keywords of our own: bounded in time, exact in its numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from functools import cache
from typing import Any

from harness.scorers._patience import SECONDS

MOST_UNEVALUATED = 3000
"""Items or keys for ``unevaluatedItems`` and ``unevaluatedProperties``, which need their square."""

_deadline: ContextVar[float] = ContextVar("deadline")

Keyword = Callable[[Any, Any, Any, Any], Any]


class TooMany(Exception):
    """More than ``MOST_UNEVALUATED``."""


@contextmanager
def bounded() -> Iterator[None]:
    """What a validator of ``validator_class`` does in here raises TimeoutError after a second."""
    before = _deadline.set(time.monotonic() + SECONDS)
    try:
        yield
    finally:
        _deadline.reset(before)


@cache
def validator_class(kind: Any) -> Any:
    """``kind`` (a validator class of jsonschema) with one deadline over all keywords.

    Instances hold whole numbers as int and others as Decimal, schemas likewise (``exact``), so
    that they are compared as they were written."""
    import attrs
    import jsonschema

    keywords = {name: _OWN.get(name, usual) for name, usual in kind.VALIDATORS.items()}
    for name in keywords.keys() & {"unevaluatedItems", "unevaluatedProperties"}:
        keywords[name] = _counted(keywords[name])
    made = jsonschema.validators.extend(
        kind,
        {name: _timed(keyword) for name, keyword in keywords.items()},
        type_checker=kind.TYPE_CHECKER.redefine("integer", _integer(kind)),
    )
    usual = made.evolve

    def evolve(self: Any, **changes: Any) -> Any:
        _check_time()
        new = usual(self, **changes)
        found: Any = type(new)
        if found is made:
            return new
        # A part that names its draft would be given that draft's own class, without a deadline.
        parts = {f.alias: getattr(new, f.name) for f in attrs.fields(found) if f.init}
        return validator_class(found)(**parts)

    made.evolve = evolve
    return made


def exact(schema: Any) -> Any:
    """A copy with every float as the shortest decimal that is read as it: 0.01 is a hundredth."""
    if isinstance(schema, dict):
        return {key: exact(inner) for key, inner in schema.items()}
    if isinstance(schema, list):
        return [exact(inner) for inner in schema]
    return Decimal(repr(float(schema))) if isinstance(schema, float) else schema


def _check_time() -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _timed(keyword: Keyword) -> Keyword:
    def timed(validator: Any, rule: Any, instance: Any, schema: Any) -> Any:
        _check_time()
        return keyword(validator, rule, instance, schema)

    return timed


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, rule: Any, instance: Any, schema: Any) -> Any:
        if isinstance(instance, (list, dict)) and len(instance) > MOST_UNEVALUATED:
            raise TooMany
        return keyword(validator, rule, instance, schema)

    return counted


def _integer(kind: Any) -> Callable[[Any, Any], bool]:
    usual = kind.TYPE_CHECKER
    # Up to draft 4, 1.0 is no integer.
    by_value = usual.is_type(1.0, "integer")

    def integer(checker: Any, value: Any) -> bool:
        if by_value and isinstance(value, Decimal):
            return value == value.to_integral_value()
        return bool(usual.is_type(value, "integer"))

    return integer


def _search(pattern: str, text: str) -> bool:
    import regex

    return regex.search(pattern, text, timeout=_check_time()) is not None


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


def _unique_items(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if not rule or not validator.is_type(instance, "array"):
        return
    seen: set[object] = set()
    for item in instance:
        _check_time()
        key = _key(item)
        if key in seen:
            yield jsonschema.ValidationError("has an item twice")
            return
        seen.add(key)


def _key(value: Any) -> object:
    """Equal for equal JSON: 1 and 1.0 are, true and 1 are not, the order of keys does not count."""
    if isinstance(value, dict):
        return frozenset((key, _key(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return tuple(_key(inner) for inner in value)
    # A class is equal to no JSON value; a pair of it and a boolean to no array of them.
    return (bool, value) if isinstance(value, bool) else value


def _multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if validator.is_type(instance, "number") and not _is_multiple(Decimal(instance), Decimal(step)):
        yield jsonschema.ValidationError("not a multiple")


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    """Exact, and never a number of as many digits as an exponent says (1e999999999)."""
    (whole, power), (unit, unit_power) = _parts(value), _parts(step)
    shift = power - unit_power
    digits = whole.adjusted() + 1
    if not whole or -shift > digits:
        return not whole
    room = digits + unit.adjusted() + 1 + max(0, -shift)
    with localcontext(Context(prec=room, Emax=MAX_EMAX, Emin=MIN_EMIN)):
        if shift < 0:
            return not whole % unit.scaleb(-shift)
        left, base = int(whole % unit), int(unit)
    return left * pow(10, shift, base) % base == 0


def _parts(number: Decimal) -> tuple[Decimal, int]:
    """``(c, e)``, both whole and c not negative, with ``abs(number) = c * 10**e``."""
    _, digits, power = number.as_tuple()
    assert isinstance(power, int)
    return Decimal((0, digits, 0)), power


_OWN: Mapping[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "multipleOf": _multiple_of,
    "divisibleBy": _multiple_of,
}
