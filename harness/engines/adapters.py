"""Putting LoRA adapters on a loaded base, and proving that they are on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import fingerprints
from harness.errors import PreflightError, SourceError

WEIGHTS = "adapter_model.safetensors"
CARD = "harness.json"
"""What training writes beside the weights: base, template and recipe hashes."""


def adapter_sha256(folder: Path) -> str:
    """Hash of an adapter: its weights and the PEFT settings that say how they are applied."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise SourceError(
            f"{folder} holds no {WEIGHTS}. An adapter is a folder that PEFT's save_pretrained "
            "wrote; adapters in pickle form (.bin) are not loaded."
        )
    config = folder / "adapter_config.json"
    if not config.is_file():
        raise SourceError(f"{folder} holds no adapter_config.json, so it is no PEFT adapter.")
    settings = json.loads(config.read_text("utf-8"))
    # Where the base lay on the training machine says nothing about the adapter.
    settings.pop("base_model_name_or_path", None)
    return fingerprints.of([fingerprints.of_file(weights), settings])


def read_card(folder: Path) -> dict[str, Any]:
    """The adapter's training card; empty for an adapter that was trained elsewhere."""
    card = folder / CARD
    return dict(json.loads(card.read_text("utf-8"))) if card.is_file() else {}


def check_card(folder: Path, *, weights: str, template: str) -> dict[str, Any]:
    """Compare what the adapter was trained on with what it is about to run on.

    Returns base and template as True, or None where the card does not say. Raises PreflightError
    on a mismatch: numbers of an adapter on another base or prompt template are not its own.
    """
    card = read_card(folder)
    result: dict[str, Any] = {}
    for key, ours, what in (
        ("base_sha256", weights, "base weights"),
        ("template_sha256", template, "chat template"),
    ):
        theirs = card.get(key)
        result[key.replace("sha256", "matches")] = None if theirs is None else theirs == ours
        if theirs is not None and theirs != ours:
            raise PreflightError(
                f"The adapter in {folder} was trained with other {what} ({theirs[:12]}) than this "
                f"variant runs with ({ours[:12]}). Train it again, or name the base it belongs to."
            )
    return result


def attach(model: Any, folder: Path, name: str) -> Any:
    """``model`` with the adapter loaded under ``name``, as a PeftModel.

    Raises PreflightError where tensors are missing, left over or of the wrong shape: an adapter
    that was never applied must not be scored.
    """
    from peft import PeftModel

    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=name)
        else:
            # By default PEFT holds the weights in fp32, so that none is rounded on loading.
            model = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
    except (RuntimeError, ValueError) as error:
        raise PreflightError(
            f"The adapter in {folder} does not fit this base model: {error}"
        ) from error
    model.eval()
    _check_tensors(model, folder, name)
    return model


def _check_tensors(model: Any, folder: Path, name: str) -> None:
    """The tensors in the model are those of the file, none missing and none left over."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    stored = load_file(str(folder / WEIGHTS))
    loaded = get_peft_model_state_dict(model, adapter_name=name)
    missing, extra = sorted(stored.keys() - loaded.keys()), sorted(loaded.keys() - stored.keys())
    if missing or extra:
        raise PreflightError(
            f"The adapter in {folder} was not applied whole: {len(missing)} of its tensors have no "
            f"place in this base, {len(extra)} places got no tensor (first: {(missing + extra)[0]})."
        )
    for key, tensor in stored.items():
        if not torch.equal(tensor, loaded[key].to(tensor.device, tensor.dtype)):
            raise PreflightError(f"Adapter tensor {key} of {folder} changed while it was loaded.")
