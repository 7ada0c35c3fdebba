"""Variant recipes: a TOML file in, a ``Variant`` out, and back.

The keys are the fields of ``Variant`` and of the types in it, so a new field is a new key. A
recipe is strict: an unknown key, a wrong type or an impossible value is an error, never a
default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from harness import fingerprints
from harness.errors import SuiteError
from harness.recipes import served
from harness.recipes.parts import Place, adapter_folder, build, check_name, reference
from harness.types import SERVED, Adapter, LoraRecipe, Variant

__all__ = ["check_name", "load_variant", "variant_from_dict", "variant_to_dict"]

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
    place = Place(str(file), file.absolute().parent)
    default = place.folder.name if file.name == "recipe.toml" else file.stem
    table = {"name": default, **table}
    table |= {key: _as_table(key, value) for key, value in overrides.items()}
    # The suite's base is a reference; what a server calls its model is for the recipe to say.
    if model is not None and "model" not in table and not table.get("server"):
        table["model"] = reference(model, "model", Place("the 'model' parameter", Path.cwd()))
    return _variant(table, place, (file.resolve(),))


def variant_from_dict(
    table: Mapping[str, Any], *, where: str = "recipe", folder: Path | None = None
) -> Variant:
    """The variant that ``variant_to_dict`` turned into ``table``.

    Relative paths start at ``folder`` (default: the working directory). Raises SuiteError, whose
    message begins with ``where``.
    """
    return _variant(dict(table), Place(where, folder or Path.cwd()), ())


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


def _variant(table: dict[str, Any], place: Place, seen: tuple[Path, ...]) -> Variant:
    if "model" not in table:
        raise place.wrong(
            'no model: write model = "…", as the server calls it.'
            if table.get("server")
            else 'no model: write model = "…" in the file, or give it where the recipe is loaded.'
        )
    adapter = table.pop("adapter", None)
    variant = build(Variant, table, place)
    check_name(variant.name, f"{place.text}: name")
    if variant.server is not None:
        return served.checked(variant, adapter, place)
    if variant.precision == SERVED:
        raise place.wrong("precision = 'served' is that of a server: add a table [server].")
    variant = replace(variant, model=reference(variant.model, "model", place))
    return variant if adapter is None else replace(variant, adapter=_adapter(adapter, place, seen))


def _adapter(value: Any, place: Place, seen: tuple[Path, ...]) -> Adapter:
    if isinstance(value, Mapping) and "served" in value:
        raise place.below("adapter").wrong(
            "'served' is what a server calls the adapter, and the variant has no table [server]."
        )
    if isinstance(value, str) and value.endswith(".toml"):
        return _adapter_of(value, place, seen)
    if isinstance(value, str):
        return Adapter(path=adapter_folder(value, place))
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
        return Adapter(path=adapter_folder(value["path"], below))
    return Adapter(recipe=_lora(value, below))


def _adapter_of(value: str, place: Place, seen: tuple[Path, ...]) -> Adapter:
    """The adapter of another recipe, so that two variants share one."""
    file = place.folder / value
    if file.resolve() in seen:
        raise place.wrong(f"adapter = '{value}' leads back to itself.")
    table = _read(file)
    if "adapter" not in table:
        raise place.wrong(f"adapter = '{value}', but that recipe has no adapter.")
    return _adapter(
        table["adapter"], Place(str(file), file.absolute().parent), (*seen, file.resolve())
    )


def _lora(table: Mapping[str, Any], place: Place) -> LoraRecipe:
    renamed: dict[str, Any] = {}
    for key, value in table.items():
        name = _PEFT_NAMES.get(key, key)
        if name in renamed:
            raise place.wrong(f"'{key}' is another name of a key given already. Keep one.")
        renamed[name] = value
    recipe = build(LoraRecipe, renamed, place)
    if recipe.retriever_share > 0 and recipe.retriever is None:
        raise place.wrong("retriever_share needs a retriever: add a table [adapter.retriever].")
    if recipe.retriever is not None and recipe.retriever_share == 0:
        raise place.wrong("a retriever has no effect without retriever_share above 0.")
    return recipe
