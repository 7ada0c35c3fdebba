"""From the tables of a recipe to the types: every key known, every value of its field's type."""

from __future__ import annotations

import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import SourceError, SuiteError, did_you_mean
from harness.sources import parse
from harness.types import Generation, LoraRecipe, Retriever, Server, Shots, Variant

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = typing.TypeVar("Part", bound="DataclassInstance")


@dataclass(frozen=True)
class Place:
    """Where a value stands, for messages, and the folder its relative paths start at."""

    text: str
    folder: Path

    def wrong(self, message: str) -> SuiteError:
        return SuiteError(f"{self.text}: {message}")

    def below(self, key: str) -> Place:
        return Place(f"{self.text}: [{key}]", self.folder)


def check_name(name: str, what: str) -> None:
    """Refuse names that could not be a file's or a folder's. Raises SuiteError."""
    if not name.strip() or name in {".", ".."} or any(c in name for c in "/\\\0\n\r"):
        raise SuiteError(f"{what} must be a name without '/', '\\' or line breaks, got {name!r}.")


def adapter_folder(value: str, place: Place) -> str:
    if value.startswith(("hf:", "pypi:")):
        return reference(value, "adapter", place)
    folder = Path(os.path.normpath(place.folder / Path(value.removeprefix("path:")).expanduser()))
    if not (folder / "adapter_config.json").is_file():
        raise place.wrong(
            f"adapter '{value}': {folder} is not a trained adapter (it has no "
            "adapter_config.json). Name its folder, a recipe (.toml), or write a table [adapter]."
        )
    return str(folder)


def reference(value: str, key: str, place: Place) -> str:
    """``value`` checked; a local path made absolute from the recipe's folder."""
    try:
        found = parse(value)
    except SourceError as error:
        raise place.wrong(f"{key}: {error}") from error
    if found.kind != "path":
        return str(found)
    return os.path.normpath(place.folder / Path(found.name).expanduser())


def build(cls: type[Part], table: Mapping[str, Any], place: Place) -> Part:
    """An instance of a dataclass of ``harness.types`` from a table with its field names."""
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in hints:
            raise place.wrong(f"unknown key '{key}'.{did_you_mean(key, hints)}")
    values = {key: _typed(hints[key], value, key, place) for key, value in table.items()}
    for field in fields(cls):
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in values:
            raise place.wrong(f"the key '{field.name}' is missing.")
        words, holds = _LIMITS.get((cls, field.name), ("", None))
        if holds is not None and values.get(field.name) is not None:
            value = values[field.name]
            if not holds(value):
                raise place.wrong(f"{field.name} must be {words}, got {value!r}.")
    built = cls(**values)
    return _checked_retriever(built, place) if isinstance(built, Retriever) else built


def _checked_retriever(retriever: Any, place: Place) -> Any:
    if retriever.kind == "bm25":
        if retriever.encoder is not None:
            raise place.wrong("encoder has no effect with kind = 'bm25'. Remove it, or use dense.")
        return retriever
    if retriever.encoder is None:
        raise place.wrong("kind = 'dense' needs an encoder: a model reference.")
    return replace(retriever, encoder=reference(retriever.encoder, "encoder", place))


def _typed(hint: Any, value: Any, key: str, place: Place) -> Any:
    """``value`` as the field's type has it. Raises SuiteError where it is of another type."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None and types.NoneType in options:
            return None
        # `str | tuple[str, ...]` is the only union of more than None and one type.
        many = isinstance(value, (list, tuple))
        left = [o for o in options if o is not types.NoneType]
        chosen = [o for o in left if (typing.get_origin(o) is tuple) == many] or left
        return _typed(chosen[0], value, key, place)
    if origin is typing.Literal:
        if value not in options:
            raise place.wrong(f"{key} = {value!r} is not known.{did_you_mean(str(value), options)}")
        return value
    if is_dataclass(hint) and isinstance(value, Mapping):
        return build(typing.cast("type[Any]", hint), value, place.below(key))
    if origin is Mapping and isinstance(value, Mapping):
        return dict(value)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_typed(options[0], item, key, place) for item in value)
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    # Not isinstance: `true` is an int to Python, and a mistake in a recipe.
    if hint is not float and type(value) is hint:
        return value
    words = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}
    wanted = words.get(hint, "a list of texts" if origin is tuple else "a table")
    raise place.wrong(f"{key} must be {wanted}, got {value!r}.")


# What the types alone do not say: class and field -> (words, test).
_LIMITS: Mapping[tuple[type, str], tuple[str, Callable[[Any], bool]]] = {
    (Shots, "k"): ("at least 1", lambda v: v >= 1),
    (Retriever, "k"): ("at least 1", lambda v: v >= 1),
    (Generation, "temperature"): ("at least 0", lambda v: v >= 0),
    (Generation, "top_p"): ("above 0 and at most 1", lambda v: 0 < v <= 1),
    (Generation, "repeats"): ("at least 1", lambda v: v >= 1),
    (Generation, "seed"): ("at least 0", lambda v: v >= 0),
    (LoraRecipe, "lora_r"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "lora_alpha"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "lora_dropout"): ("at least 0 and below 1", lambda v: 0 <= v < 1),
    (LoraRecipe, "target_modules"): ("named", lambda v: len(v) > 0 and all(v)),
    (LoraRecipe, "learning_rate"): ("above 0", lambda v: v > 0),
    (LoraRecipe, "warmup_ratio"): ("at least 0 and below 1", lambda v: 0 <= v < 1),
    (LoraRecipe, "num_train_epochs"): ("above 0", lambda v: v > 0),
    (LoraRecipe, "max_steps"): ("at least 1, or -1", lambda v: v >= 1 or v == -1),
    (LoraRecipe, "per_device_train_batch_size"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "gradient_accumulation_steps"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "weight_decay"): ("at least 0", lambda v: v >= 0),
    (LoraRecipe, "max_grad_norm"): ("above 0", lambda v: v > 0),
    (LoraRecipe, "max_length"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "seed"): ("at least 0", lambda v: v >= 0),
    (LoraRecipe, "max_train_samples"): ("at least 1", lambda v: v >= 1),
    (LoraRecipe, "retriever_share"): ("between 0 and 1", lambda v: 0 <= v <= 1),
    (Server, "concurrency"): ("between 1 and 1024", lambda v: 1 <= v <= 1024),
    (Server, "timeout_s"): ("above 0", lambda v: v > 0),
    (Server, "max_retries"): ("at least 0", lambda v: v >= 0),
    (Variant, "cost_per_1k_tokens"): ("at least 0", lambda v: v >= 0),
}
