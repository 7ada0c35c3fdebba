"""Variant recipes: a TOML file in, a ``Variant`` out, and back.

The keys are the fields of ``Variant`` and of the types in it, so a new field is a new key. A
recipe is strict: an unknown key, a wrong type or an impossible value is an error, never a
default.
"""

from __future__ import annotations

import math
import os
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from harness import fingerprints
from harness.errors import SourceError, SuiteError, did_you_mean
from harness.sources import parse
from harness.types import Adapter, Generation, LoraRecipe, Retriever, Shots, Variant

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = typing.TypeVar("Part", bound="DataclassInstance")
_PEFT_NAMES = {"r": "lora_r"}


def load_variant(path: str | Path, *, model: str | None = None, **overrides: Any) -> Variant:
    """The variant that a recipe file describes.

    ``model`` is the base where the file names none (a suite names it once). ``overrides`` are
    top-level keys as in the file, a table as a dict or as its type, and replace those of the
    file; None removes. The name defaults to the file's (``recipe.toml``: its folder's). Relative
    paths start at the file's folder, that of ``model`` at the working directory. Raises
    SuiteError with the file and key.
    """
    file = Path(path)
    table = _read(file)
    place = _Place(str(file), file.absolute().parent)
    default = place.folder.name if file.name == "recipe.toml" else file.stem
    table = {"name": default, **table}
    table |= {key: _as_table(key, value) for key, value in overrides.items()}
    if model is not None and "model" not in table:
        table["model"] = _reference(model, "model", _Place("the 'model' parameter", Path.cwd()))
    return _variant(table, place, (file.resolve(),))


def variant_from_dict(
    table: Mapping[str, Any], *, where: str = "recipe", folder: Path | None = None
) -> Variant:
    """The variant that ``variant_to_dict`` turned into ``table``.

    Relative paths start at ``folder`` (default: the working directory). Raises SuiteError, whose
    message begins with ``where``.
    """
    return _variant(dict(table), _Place(where, folder or Path.cwd()), ())


def variant_to_dict(variant: Variant) -> dict[str, Any]:
    """``variant`` as a recipe: JSON types, every default spelled out, absent parts left out."""
    parts = {f.name: _as_table(f.name, getattr(variant, f.name)) for f in fields(Variant)}
    return {key: value for key, value in parts.items() if value is not None}


def _as_table(key: str, value: Any) -> Any:
    if not is_dataclass(value):
        return value
    table = _without_none(fingerprints.plain(value))
    return table.get("recipe", table) if key == "adapter" else table


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(v) for key, v in value.items() if v is not None}
    return value


@dataclass(frozen=True)
class _Place:
    """Where a value stands, for messages, and the folder its relative paths start at."""

    text: str
    folder: Path

    def wrong(self, message: str) -> SuiteError:
        return SuiteError(f"{self.text}: {message}")

    def below(self, key: str) -> _Place:
        return _Place(f"{self.text}: [{key}]", self.folder)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SuiteError(f"There is no recipe {file}.") from error
    except OSError as error:
        raise SuiteError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{file} is not UTF-8 text (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{file} is not TOML: {error}.") from error


def _variant(table: dict[str, Any], place: _Place, seen: tuple[Path, ...]) -> Variant:
    if "model" not in table:
        raise place.wrong(
            'no model: write model = "…" in the file, or give it where the recipe is loaded.'
        )
    adapter = table.pop("adapter", None)
    variant = _build(Variant, table, place)
    check_name(variant.name, f"{place.text}: name")
    variant = replace(variant, model=_reference(variant.model, "model", place))
    return variant if adapter is None else replace(variant, adapter=_adapter(adapter, place, seen))


def check_name(name: str, what: str) -> None:
    """Refuse names that could not be a file's or a folder's. Raises SuiteError."""
    if not name.strip() or name in {".", ".."} or any(c in name for c in "/\\\0\n\r"):
        raise SuiteError(f"{what} must be a name without '/', '\\' or line breaks, got {name!r}.")


def _adapter(value: Any, place: _Place, seen: tuple[Path, ...]) -> Adapter:
    if isinstance(value, str) and value.endswith(".toml"):
        return _adapter_of(value, place, seen)
    if isinstance(value, str):
        return Adapter(path=_adapter_folder(value, place))
    if not isinstance(value, Mapping):
        raise place.wrong(
            "adapter must be a table, a folder with a trained adapter, or another recipe "
            f"(.toml), got {value!r}."
        )
    below = place.below("adapter")
    if "path" in value:
        if len(value) > 1:
            raise below.wrong("a trained adapter (path) has no other keys.")
        if not isinstance(value["path"], str):
            raise below.wrong(f"path must be a text, got {value['path']!r}.")
        return Adapter(path=_adapter_folder(value["path"], below))
    return Adapter(recipe=_lora(value, below))


def _adapter_of(value: str, place: _Place, seen: tuple[Path, ...]) -> Adapter:
    """The adapter of another recipe, so that two variants share one."""
    file = place.folder / value
    if file.resolve() in seen:
        raise place.wrong(f"adapter = '{value}' leads back to itself.")
    table = _read(file)
    if "adapter" not in table:
        raise place.wrong(f"adapter = '{value}', but that recipe has no adapter.")
    return _adapter(
        table["adapter"], _Place(str(file), file.absolute().parent), (*seen, file.resolve())
    )


def _adapter_folder(value: str, place: _Place) -> str:
    if value.startswith(("hf:", "pypi:")):
        return _reference(value, "adapter", place)
    folder = Path(os.path.normpath(place.folder / Path(value.removeprefix("path:")).expanduser()))
    if not (folder / "adapter_config.json").is_file():
        raise place.wrong(
            f"adapter '{value}': {folder} is not a trained adapter (it has no "
            "adapter_config.json). Name its folder, a recipe (.toml), or write a table [adapter]."
        )
    return str(folder)


def _lora(table: Mapping[str, Any], place: _Place) -> LoraRecipe:
    renamed: dict[str, Any] = {}
    for key, value in table.items():
        name = _PEFT_NAMES.get(key, key)
        if name in renamed:
            raise place.wrong(f"'{key}' is another name of a key given already. Keep one.")
        renamed[name] = value
    recipe = _build(LoraRecipe, renamed, place)
    if recipe.retriever_share > 0 and recipe.retriever is None:
        raise place.wrong("retriever_share needs a retriever: add a table [adapter.retriever].")
    if recipe.retriever is not None and recipe.retriever_share == 0:
        raise place.wrong("a retriever has no effect without retriever_share above 0.")
    return recipe


def _reference(value: str, key: str, place: _Place) -> str:
    """``value`` checked; a local path made absolute from the recipe's folder."""
    try:
        found = parse(value)
    except SourceError as error:
        raise place.wrong(f"{key}: {error}") from error
    if found.kind != "path":
        return str(found)
    return os.path.normpath(place.folder / Path(found.name).expanduser())


def _build(cls: type[Part], table: Mapping[str, Any], place: _Place) -> Part:
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


def _checked_retriever(retriever: Any, place: _Place) -> Any:
    if retriever.kind == "bm25":
        if retriever.encoder is not None:
            raise place.wrong("encoder has no effect with kind = 'bm25'. Remove it, or use dense.")
        return retriever
    if retriever.encoder is None:
        raise place.wrong("kind = 'dense' needs an encoder: a model reference.")
    return replace(retriever, encoder=_reference(retriever.encoder, "encoder", place))


def _typed(hint: Any, value: Any, key: str, place: _Place) -> Any:
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
        return _build(typing.cast("type[Any]", hint), value, place.below(key))
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
    (Variant, "cost_per_1k_tokens"): ("at least 0", lambda v: v >= 0),
}
