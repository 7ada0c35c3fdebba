"""The adapters on a base: loading them, proving them, and which row of a pass wears which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.engines import adapters, packed_adapters
from harness.engines.lanes import Turns
from harness.errors import PreflightError

BASE = "__base__"
"""PEFT's word for no adapter, in a list of adapters by row."""
TOLERANCE = 1e-3
"""Relative, between logits of the bare base before and after an adapter is loaded; on a CPU they
are bit-equal, and GPUs may choose another kernel."""
MIXED = 5e-2
"""Relative, between logits of a row alone and beside rows with other adapters: bfloat16 of
batches of other shapes; an adapter that were not applied by row would be far outside."""


class Worn:
    """A model with its adapters, and the only place where they are switched, so that what is on
    is always known."""

    def __init__(self, model: Any, probe: Sequence[int]) -> None:
        """``probe``: tokens of the prompt that adapters are proved with."""
        self.model = model
        self._probe = list(probe)
        self._loaded: dict[str, tuple[str, str]] = {}
        """Folder to (name in PEFT, hash)."""
        self._mixing: dict[str, bool] = {}
        self._turns = Turns()
        self._on: tuple[str | None, bool] | None = None
        """The active adapter and whether it is enabled; None: not known."""

    def name(self, adapter: str | None, sha256: str | None = None) -> str | None:
        """PEFT's name of the adapter in that folder, loaded now if it was not; None for None.

        Raises PreflightError where it is not the adapter of that hash (any more), or does not fit.
        """
        if adapter is None:
            return None
        if adapter not in self._loaded:
            self._load(adapter)
        name, loaded = self._loaded[adapter]
        if sha256 not in (None, loaded):
            raise PreflightError(
                f"The adapter in {adapter} changed while the run was under way. Run again, and "
                "leave the folder alone meanwhile."
            )
        return name

    def sha256(self, adapter: str) -> str:
        """Hash of a loaded adapter."""
        return self._loaded[adapter][1]

    @contextmanager
    def wearing(self, names: Sequence[str | None]) -> Iterator[dict[str, Any]]:
        """One pass that wears these adapters, a name for each row; gives what it must be told.

        Passes of other threads wait while theirs is another adapter. One with several adapters is
        alone, as PEFT hands the names to the model's layers.
        """
        kinds = set(names)
        kind = next(iter(kinds)) or BASE if len(kinds) == 1 else None
        told = self._turns.enter(kind, lambda: self._put_on(names, kinds))
        try:
            yield told
        finally:
            self._turns.leave()

    def _put_on(self, names: Sequence[str | None], kinds: set[str | None]) -> dict[str, Any]:
        if not self._loaded:
            return {}
        if len(kinds) > 1:
            self._enable(next(name for name in names if name))
            return {"adapter_names": [name or BASE for name in names]}
        (only,) = kinds
        if only is None:
            self._disable()
        else:
            self._enable(only)
        return {}

    def mixes(self, name: str | None) -> bool:
        """Whether rows with this adapter may stand beside others.

        PEFT applies by row what is plain LoRA on linear layers; that it does is tried once, with
        a row of this adapter beside one of the bare base.
        """
        if name is None:
            return True
        if name not in self._mixing:
            self._mixing[name] = self._plain(name) and self._mixes_truly(name)
        return self._mixing[name]

    def logits(self, names: Sequence[str | None]) -> Any:
        """(len(names), vocabulary): of the token after the probe, each row with its adapter."""
        import torch

        device = next(self.model.parameters()).device
        ids = torch.tensor([self._probe] * len(names), device=device)
        with torch.inference_mode(), self.wearing(names) as told:
            found = self.model(input_ids=ids, logits_to_keep=1, **told)
        return found.logits[:, -1].float()

    def _load(self, adapter: str) -> None:
        folder = Path(adapter)
        before = adapters.adapter_sha256(folder)
        bare = self.logits([None])
        name = f"adapter_{len(self._loaded)}"
        # The first adapter wraps the base.
        self.model, self._on = adapters.attach(self.model, folder, name), None
        packed_adapters.pack(self.model, name)
        self._loaded[adapter] = (name, before)
        if adapters.adapter_sha256(folder) != before:
            raise PreflightError(f"The adapter in {folder} changed while it was loaded. Run again.")
        if not _near(self.logits([None]), bare, TOLERANCE):
            raise PreflightError(
                f"Loading the adapter in {folder} changed the base itself, so the variants without "
                "an adapter would not be the base any more. Adapters with a trained bias or an "
                "initialisation that rewrites the base (PiSSA, OLoRA) must be converted to plain "
                "LoRA first."
            )

    def _plain(self, name: str) -> bool:
        config = self.model.peft_config[name]
        parts = ("use_dora", "modules_to_save", "lora_bias", "alora_invocation_tokens")
        more = ("trainable_token_indices", "target_parameters")
        if config.peft_type != "LORA" or any(getattr(config, key, None) for key in parts + more):
            return False
        layers = [m for m in self.model.modules() if hasattr(m, "lora_variant")]
        return config.bias == "none" and not any(
            name in layer.lora_variant or name in layer.lora_embedding_A for layer in layers
        )

    def _mixes_truly(self, name: str) -> bool:
        alone = [self.logits([one])[0] for one in (None, name)]
        together = self.logits([None, name])
        return all(_near(a, b, MIXED) for a, b in zip(together, alone, strict=True))

    def _enable(self, name: str) -> None:
        if self._on != (name, True):
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(name)
            self._on = (name, True)

    def _disable(self) -> None:
        if self._on is None or self._on[1]:
            self.model.base_model.disable_adapter_layers()
            self._on = (None, False)


def _near(a: Any, b: Any, tolerance: float) -> bool:
    return float((a - b).abs().max()) <= tolerance * float(b.abs().max())
