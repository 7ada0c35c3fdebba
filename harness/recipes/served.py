"""Variants on a server: what is known there by name cannot be checked here, so the rest is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.endpoints.addresses import wrong_key_name, wrong_url
from harness.recipes.parts import Place, adapter_folder, reference
from harness.types import SERVED, Adapter, Server, Variant

OURS = frozenset(
    {"model", "messages", "prompt", "max_tokens", "temperature", "top_p", "seed", "n", "stream"}
)
"""Keys of a request that the harness writes itself."""


def checked(variant: Variant, adapter: Any, place: Place) -> Variant:
    """The variant with its server checked, its adapter named, and the server's precision.

    Raises SuiteError with the key, and never with what could be a secret.
    """
    assert variant.server is not None
    # "bf16" is also what a variant made in Python has unsaid.
    if variant.precision not in (SERVED, "bf16"):
        raise place.wrong(
            f"precision = '{variant.precision}' has no effect on a server, which loads its model "
            "as it was started. Remove it."
        )
    if not variant.model.strip():
        raise place.wrong("model must be what the server calls the base, got an empty text.")
    return replace(
        variant,
        precision=SERVED,
        server=_server(variant.server, place.below("server")),
        adapter=None if adapter is None else _adapter(adapter, variant.model, place),
    )


def _server(server: Server, place: Place) -> Server:
    wrong = wrong_url(server.base_url) or wrong_key_name(server.api_key_env)
    if wrong:
        raise place.wrong(wrong)
    body = server.extra_body
    if body is not None:
        _check_body(body, place)
    if server.api == "chat":
        if server.tokenizer is not None:
            raise place.wrong(
                "tokenizer has no effect with api = 'chat', where the server applies its own "
                "template. Remove it, or use api = 'completions'."
            )
        return server
    if server.tokenizer is None:
        raise place.wrong(
            "api = 'completions' needs tokenizer: a reference of the model whose chat template "
            "makes the prompts. With api = 'chat' the server makes them."
        )
    return replace(server, tokenizer=reference(server.tokenizer, "tokenizer", place))


def _check_body(body: Mapping[str, Any], place: Place) -> None:
    both = sorted(OURS & body.keys())
    if both:
        raise place.wrong(f"extra_body: '{both[0]}' is set by the harness. Remove it.")
    try:
        json.dumps(dict(body), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise place.wrong(f"extra_body must be JSON: {error}.") from error


def _adapter(value: Any, model: str, place: Place) -> Adapter:
    below = place.below("adapter")
    if isinstance(value, Mapping) and set(value) <= {"served", "path"} and "served" in value:
        name, path = value["served"], value.get("path")
        if not isinstance(name, str) or not name.strip():
            raise below.wrong(f"served must be the adapter's name on the server, got {name!r}.")
        if name == model:
            raise below.wrong(
                f"served = '{name}' is the base's own name, so the base would be measured twice."
            )
        if path is not None and not isinstance(path, str):
            raise below.wrong(f"path must be a text, got {path!r}.")
        return Adapter(path=None if path is None else adapter_folder(path, below), served=name)
    raise below.wrong(
        "on a server an adapter has the keys 'served', what the server calls it, and optionally "
        "'path', the folder it was served from. Train it with a recipe that has no [server]."
    )
