"""Putting LoRA adapters on a loaded base, and proving that they are on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import PreflightError, SourceError
from harness.sources import weights_sha256

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
CARD = "harness.json"
"""What training writes beside the weights: hashes of base, template, prompts and weights."""


def adapter_sha256(folder: Path) -> str:
    """Hash of an adapter: its weights and the PEFT settings that say how they are applied.

    Raises SourceError where the folder holds no adapter in safetensors form.
    """
    if not (folder / WEIGHTS).is_file():
        raise SourceError(
            f"{folder} holds no {WEIGHTS}. An adapter is a folder that PEFT's save_pretrained "
            "wrote; adapters in pickle form (.bin) are not loaded."
        )
    if not (folder / CONFIG).is_file():
        raise SourceError(f"{folder} holds no {CONFIG}, so it is no PEFT adapter.")
    return weights_sha256(folder)


def read_card(folder: Path) -> dict[str, Any]:
    """The adapter's training card; empty for an adapter that was trained elsewhere.

    Raises SourceError for a card that cannot be read, PreflightError for one that belongs to other
    weights: the loss curve and the base it tells of would be another adapter's.
    """
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SourceError(
            f"{path} is damaged ({error}). Remove the folder to train again, or only this file to "
            "use the adapter as one that was trained elsewhere."
        ) from error
    found = adapter_sha256(folder)
    if card.get("adapter_sha256") not in (None, found):
        raise PreflightError(
            f"The weights in {folder} are not those that {CARD} beside them tells of. Restore "
            f"them, or remove {CARD} to use them as an adapter that was trained elsewhere."
        )
    return dict(card)


def check_card(folder: Path, *, weights: str, template: str) -> dict[str, bool | None]:
    """Compare what the adapter was trained on with what it is about to run on.

    Returns base and template as True, or None where the card does not say. Raises PreflightError
    on a mismatch: numbers of an adapter on another base or prompt template are not its own.
    """
    card = read_card(folder)
    result: dict[str, bool | None] = {}
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
    from safetensors import SafetensorError

    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=name)
        else:
            # By default PEFT holds the weights in fp32, so that none is rounded on loading.
            model = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
    except (RuntimeError, ValueError, TypeError, SafetensorError) as error:
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
    # Left to itself, PEFT asks the hub whether the base's vocabulary grew.
    embeddings = any("embed" in key or "lm_head" in key for key in stored)
    loaded = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=embeddings)
    missing, extra = sorted(stored.keys() - loaded.keys()), sorted(loaded.keys() - stored.keys())
    if missing or extra:
        raise PreflightError(
            f"The adapter in {folder} was not applied whole: {len(missing)} of its tensors have "
            f"no place in this base, {len(extra)} places got no tensor (first: "
            f"{(missing + extra)[0]})."
        )
    for key, tensor in stored.items():
        # Compared on the CPU in the file's own type: any rounding on the way would show.
        if not torch.equal(tensor, loaded[key].detach().cpu().to(tensor.dtype)):
            raise PreflightError(f"Tensor {key} of {folder} changed while it was loaded.")
