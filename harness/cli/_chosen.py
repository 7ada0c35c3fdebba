"""Scorers by name, with options from the command line."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.cli._strict_json import loads
from harness.errors import SuiteError, UsageError, did_you_mean

if TYPE_CHECKING:
    from harness.types import Scorer

FLAGS = {
    "encoder": ("--encoder", ("bertscore", "embedding_similarity")),
    "regex": ("--regex", ("format",)),
    "labels": ("--label", ("format", "choice")),
    "schema": ("--schema", ("format", "json_schema")),
}
"""Options that have a flag of their own, and the scorers that take them."""


def chosen(names: Sequence[str], flags: Mapping[str, Any], options: Sequence[str]) -> list[Scorer]:
    """The scorers of ``names``, in their order.

    ``flags``: values of ``FLAGS``, None where not given. ``options``: texts ``NAME.KEY=VALUE``.
    Raises UsageError for a name, a key or a value that cannot be, for one that is given both ways,
    for an option of a scorer that is not asked for, and for a scorer that needs the model.
    """
    from harness.scorers import merged, needs_likelihood, resolve

    said = _said(options)
    given = {key: value for key, value in flags.items() if value is not None}
    made: dict[str, Scorer] = {}
    used: set[str] = set()
    for name in dict.fromkeys([*said, *(taker for key in given for taker in FLAGS[key][1])]):
        own = {key: value for key, value in given.items() if name in FLAGS[key][1]}
        for key in own.keys() & said.get(name, {}).keys():
            raise UsageError(
                f"{FLAGS[key][0]} and --option {name}.{key} are both given. Keep one; with several "
                "scorers, give each its own --option."
            )
        named = _named(name, {**own, **said.get(name, {})}, names, strict=name in said)
        made |= named
        used |= own.keys() if named else set()
    for key in sorted(given.keys() - used):
        flag, takers = FLAGS[key]
        raise UsageError(f"{flag} goes with --scorer {' or '.join(takers)}.")
    found = []
    for name in names:
        try:
            scorer = made.get(name) or resolve(name)
        except SuiteError as error:
            raise UsageError(f"--scorer {name}: {error}{_hint(name)}") from error
        if needs_likelihood(scorer):
            raise UsageError(f"{name} is measured by `harness run`: it needs the model.")
        found.append(scorer)
    return merged(found)


def _named(
    scorer: str, values: Mapping[str, Any], names: Sequence[str], *, strict: bool
) -> dict[str, Scorer]:
    """The scorer with these options, and it cut down to each of its metrics: what of it
    ``names`` ask for. ``strict``: they must ask for something."""
    from harness.scorers import classes, only

    if scorer not in classes():
        return {}
    try:
        made = classes()[scorer](**values)
    except (SuiteError, TypeError, ValueError) as error:
        if not strict and scorer not in names:
            return {}
        raise UsageError(f"--scorer {scorer}: {error}{_hint(scorer)}") from error
    metrics = [metric.name for metric in made.metrics]
    known = {**{name: only(made, name) for name in metrics}, scorer: made}
    if strict and not known.keys() & set(names):
        also = f" (with these options its metrics are {', '.join(metrics)})"
        raise UsageError(f"--option {scorer}.… goes with --scorer {scorer}{also}.")
    return {name: known[name] for name in known if name in names}


def _said(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``NAME.KEY=VALUE`` as name to key to value."""
    from harness.scorers import classes

    found: dict[str, dict[str, Any]] = {}
    for text in options:
        place, equals, raw = text.partition("=")
        name, dot, key = place.partition(".")
        if not equals or not dot:
            raise UsageError(f"--option must be NAME.KEY=VALUE, got '{text}'.")
        known = [scorer for scorer in classes() if scorer != "custom"]
        if name not in known:
            raise UsageError(f"--option {place}: no such scorer.{did_you_mean(name, known)}")
        kinds = _kinds(name)
        if key not in kinds:
            hint = did_you_mean(key, kinds) if kinds else f" {name} has none."
            raise UsageError(f"--option {place}: no such option.{hint}")
        if key in found.setdefault(name, {}):
            raise UsageError(f"--option {place} is given twice.")
        found[name][key] = _value(place, raw, kinds[key])
    return found


def _kinds(scorer: str) -> dict[str, Any]:
    """Options of the scorer that can be written as text, with their types."""
    from harness.scorers import classes

    cls = classes()[scorer]
    if scorer == "custom":
        return {}
    try:
        kinds = get_type_hints(cls)
    except NameError:
        # A type that is imported for the type checker alone.
        kinds = {}
    return {field.name: kinds.get(field.name, Any) for field in fields(cls) if field.init}


def _hint(scorer: str) -> str:
    from harness.scorers import classes

    if scorer not in classes() or scorer == "custom":
        return ""
    own = [flag for flag, takers in FLAGS.values() if scorer in takers]
    own += [f"--option {scorer}.{key}=…" for key in _kinds(scorer)]
    return f" Here it is told by {', '.join(own)}."


def _value(place: str, raw: str, kind: Any) -> Any:
    why = ""
    try:
        read = loads(raw)
    except ValueError as error:
        read = raw
        # What does not begin like JSON is meant as a string.
        why = f" ({error})" if raw.lstrip().startswith(("{", "[")) else ""
    for value in (read, raw):
        if _fits(value, kind):
            return tuple(value) if isinstance(value, list) else value
    raise UsageError(f"--option {place} must be {_worded(kind)}, got '{raw[:80]}'{why}.")


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner and not isinstance(value, bool)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, dict)
    if origin is not None and issubclass(origin, Iterable):
        return isinstance(value, list) and all(_fits(item, inner[0]) for item in value)
    if kind in (int, float):
        wanted = int if kind is int else (int, float)
        return isinstance(value, wanted) and not isinstance(value, bool)
    return kind is Any or (isinstance(kind, type) and isinstance(value, kind))


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    types.NoneType: "null",
}


def _worded(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_worded(one) for one in inner)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is not None and issubclass(origin, Mapping):
        return "an object"
    if origin is not None and issubclass(origin, Iterable):
        return f"a list (JSON), of which each is {_worded(inner[0])}"
    return _WORDS.get(kind, str(kind))
