"""Sentence vectors: a transformers encoder with pooling, as sentence-transformers defines it.

Reimers and Gurevych, Sentence-BERT (2019). Read are the files that sentence-transformers
writes: the length limit from ``sentence_bert_config.json``, the pooling from
``1_Pooling/config.json``. What is not implemented is refused, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import models
from harness.errors import SourceError
from harness.sources import weights_sha256

_BATCH = 64
_PART = 1024


class SentenceEncoder:
    """Implements ``harness.types.Encoder``. ``device``: ``auto``, ``cpu`` or ``cuda``.

    The weights are loaded with the first text. Raises SourceError for a folder that pools or
    prompts in another way than mean or first token, and, then, for one that does not load.
    """

    def __init__(self, folder: Path, *, device: str = "auto") -> None:
        self._folder = folder
        self._device = device
        self._pooling = _pooling(folder)
        settings = _json(folder / "sentence_bert_config.json")
        self._limit: int | None = settings.get("max_seq_length")
        self._lower = bool(settings.get("do_lower_case"))

    @property
    def identity(self) -> Mapping[str, str]:
        """Weights, pooling, length limit and package versions."""
        return {
            "encoder": "sentence-1",
            "weights": weights_sha256(self._folder),
            "pooling": self._pooling,
            "max_seq_length": str(self._limit),
            "lower": str(self._lower),
            "transformers": version("transformers"),
            "torch": version("torch"),
        }

    def encode(self, texts: Sequence[str]) -> Any:
        """float32 array of shape (len(texts), d), rows of length 1."""
        import numpy as np

        torch, tokenizer, model = self._loaded
        limit = self.limit
        prepared = [self._prepared(text) for text in texts]
        lengths = self._lengths(prepared)
        # Texts of like length together: padding costs as much as text.
        order = sorted(range(len(texts)), key=lambda i: -lengths[i])
        vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            batch = tokenizer(
                [prepared[i] for i in some],
                padding=True,
                truncation=True,
                max_length=limit,
                return_tensors="pt",
            ).to(model.device)
            with torch.inference_mode():
                states = model(**batch).last_hidden_state
                pooled = self._pool(states, batch["attention_mask"].unsqueeze(-1).to(states.dtype))
                vectors[some] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return vectors

    @property
    def limit(self) -> int:
        """Tokens: the folder's own limit, else the model's."""
        _, tokenizer, model = self._loaded
        return self._limit or min(tokenizer.model_max_length, model.config.max_position_embeddings)

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """See ``harness.types.Encoder``."""
        prepared = [self._prepared(text) for text in texts]
        # No tokenizer makes more tokens than bytes; most texts need no tokenising.
        long = [i for i, text in enumerate(prepared) if len(text.encode()) + 2 > self.limit]
        lengths = self._lengths([prepared[i] for i in long])
        over = {i for i, n in zip(long, lengths, strict=True) if n > self.limit}
        return [i in over for i in range(len(texts))]

    def _lengths(self, prepared: Sequence[str]) -> list[int]:
        """Tokens of each text, before it is cut."""
        _, tokenizer, _ = self._loaded
        found: list[int] = []
        # In parts, as the tokens of all would take more room than the vectors.
        for start in range(0, len(prepared), _PART):
            rows = tokenizer(list(prepared[start : start + _PART]), verbose=False)["input_ids"]
            found += map(len, rows)
        return found

    def _prepared(self, text: str) -> str:
        # Tokenizers refuse lone surrogates, which a model's output may well hold.
        clean = text.strip().encode("utf-8", "replace").decode("utf-8")
        return clean.lower() if self._lower else clean

    def _pool(self, states: Any, mask: Any) -> Any:
        if self._pooling == "cls":
            return states[:, 0]
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        torch = models.require_torch()
        from transformers import AutoModel, AutoTokenizer

        try:
            model = AutoModel.from_pretrained(self._folder, dtype=torch.float32).eval()
            tokenizer = AutoTokenizer.from_pretrained(self._folder)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise SourceError(f"The encoder in {self._folder} does not load: {why}") from error
        return torch, tokenizer, model.to(models.pick_device(self._device))


def _pooling(folder: Path) -> str:
    """``mean`` or ``cls``. Raises SourceError for anything else that the folder asks for."""
    known = {"Transformer", "Pooling", "Normalize"}
    listed = _json(folder / "modules.json")
    for module in listed if isinstance(listed, list) else []:
        kind = str(module.get("type")).rsplit(".", 1)[-1]
        if kind not in known:
            raise SourceError(f"{folder}: the encoder's module '{kind}' is not supported.")
    if _json(folder / "config_sentence_transformers.json").get("default_prompt_name"):
        raise SourceError(f"{folder}: an encoder with a default prompt is not supported.")
    settings = _json(folder / "1_Pooling" / "config.json")
    modes = {key for key, on in settings.items() if key.startswith("pooling_mode") and on is True}
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    if not modes:
        # As sentence-transformers does for a folder that says nothing.
        return "mean"
    if len(modes) > 1 or not modes <= set(names):
        raise SourceError(f"{folder}: the pooling {sorted(modes)} is not supported.")
    return names[modes.pop()]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SourceError(f"{path} is not JSON: {error}.") from error
