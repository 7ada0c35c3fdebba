"""Completions by transformers in this process.

The base is loaded once and serves every variant of its precision; adapters are switched on and
off. Nothing is loaded until a completion is really needed, so a fully cached run stays light.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import models
from harness.engines import adapters
from harness.engines.batching import batches, prompt_length
from harness.engines.sampling import RowwiseSampler, seed_of
from harness.errors import PreflightError
from harness.types import Completion, Message, Precision, Prompt, Request

# Rows and padded tokens of one batch. Large batches are the first lever on speed; these fit a
# small model in 6 GB on CPU, and a batch that does not fit is split when memory runs out.
BATCH = {"cpu": (64, 24_576), "mps": (64, 24_576), "cuda": (256, 262_144)}

PROBE = "Name one thing that this adapter was trained to change."


class LocalEngine:
    """``types.Engine`` over a folder with safetensors, config and tokenizer."""

    def __init__(
        self,
        folder: Path,
        precision: Precision,
        *,
        weights_sha256: str,
        device: str = "auto",
        max_rows: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.folder = folder
        self.precision = precision
        self.device = models.pick_device(device)
        self.tokenizer = models.load_tokenizer(folder)
        self._weights_sha256 = weights_sha256
        rows, tokens = BATCH.get(self.device, BATCH["cpu"])
        self._max_rows, self._max_tokens = max_rows or rows, max_tokens or tokens
        self._names: dict[str, str] = {}

    # ---- what it is

    @cached_property
    def identity(self) -> Mapping[str, str]:
        return {
            "engine": "transformers in process",
            "weights_sha256": self._weights_sha256,
            "precision": self.precision,
            "template_sha256": models.template_sha256(self.tokenizer),
            "device": self.device,
            **{f"version_{k}": v for k, v in models.versions().items() if k not in _NOT_RUN},
        }

    @cached_property
    def context_length(self) -> int:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(str(self.folder))
        return int(getattr(config.get_text_config(), "max_position_embeddings", 1 << 30))

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        texts = [models.render(self.tokenizer, c) for c in conversations]
        ids = models.encode(self.tokenizer, texts)
        return [
            Prompt(tuple(c), text, tuple(tokens))
            for c, text, tokens in zip(conversations, texts, ids, strict=True)
        ]

    # ---- adapters

    def prove(self, adapter: str) -> Mapping[str, Any]:
        """Evidence that the adapter is applied: its hashes, and how far it moves the logits."""
        import torch

        folder = Path(adapter)
        card = adapters.check_card(
            folder,
            weights=self._weights_sha256,
            template=self.identity["template_sha256"],
        )
        prompt = self.prompts([[{"role": "user", "content": PROBE}]])[0]
        ids = torch.tensor([prompt.tokens], device=self.device)
        with self._applied(adapter), torch.inference_mode():
            on = self._model(input_ids=ids, logits_to_keep=1).logits.float()
        with self._applied(None), torch.inference_mode():
            off = self._model(input_ids=ids, logits_to_keep=1).logits.float()
        change = float((on - off).abs().max())
        if not change > 0:
            raise PreflightError(
                f"The adapter in {folder} changes nothing: the logits of a probe prompt are equal "
                "with and without it. It was not trained, or it does not belong to this base."
            )
        return {
            "adapter_sha256": adapters.adapter_sha256(folder),
            "base_sha256": self._weights_sha256,
            "template_sha256": self.identity["template_sha256"],
            "precision": self.precision,
            "tensors_equal_file": True,
            "max_logit_change": change,
            **card,
        }

    def _applied(self, adapter: str | None) -> AbstractContextManager[Any]:
        """Context in which the model runs with this adapter, or bare."""
        if adapter is None:
            bare = getattr(self._model, "disable_adapter", None) if self._names else None
            return bare() if bare else nullcontext()
        if adapter not in self._names:
            name = f"adapter_{len(self._names)}"
            # Replaces the cached property: attaching wraps the base.
            self.__dict__["_model"] = adapters.attach(self._model, Path(adapter), name)
            self._names[adapter] = name
        self._model.set_adapter(self._names[adapter])
        return nullcontext()

    # ---- completions

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        fitting = []
        for request in requests:
            error = self._too_long(request)
            if error:
                yield Completion(request.key, None, prompt_length(request), 0, 0.0, "error", error)
            else:
                fitting.append(request)
        for batch in batches(fitting, max_rows=self._max_rows, max_tokens=self._max_tokens):
            yield from self._complete_or_split(batch)

    def _too_long(self, request: Request) -> str | None:
        needed = prompt_length(request) + request.max_new_tokens
        if needed <= self.context_length:
            return None
        return (
            f"prompt too long: {prompt_length(request)} tokens and {request.max_new_tokens} new "
            f"ones exceed the context of {self.context_length}"
        )

    def _complete_or_split(self, batch: list[Request]) -> Iterator[Completion]:
        import torch

        try:
            done = self._complete_batch(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            done = None
        if done is not None:
            yield from done
            return
        if self.device == "cuda":
            torch.cuda.empty_cache()
        self._max_tokens = max(1, self._max_tokens // 2)
        half = len(batch) // 2
        yield from self._complete_or_split(batch[:half])
        yield from self._complete_or_split(batch[half:])

    def _complete_batch(self, batch: list[Request]) -> list[Completion]:
        import torch

        first = batch[0]
        ids, mask = self._padded(batch)
        options: dict[str, Any] = {}
        if first.temperature > 0:
            seeds = [seed_of(r.key, r.seed) for r in batch]
            options["logits_processor"] = [RowwiseSampler(seeds, first.temperature, first.top_p)]
        started = time.perf_counter()
        with self._applied(first.adapter), torch.inference_mode():
            out = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=first.max_new_tokens,
                # A model's own generation_config may say otherwise; what we are asked decides.
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=sorted(self._end_tokens),
                **options,
            )
        seconds = (time.perf_counter() - started) / len(batch)
        rows = out[:, ids.shape[1] :].tolist()
        return [self._completion(r, row, seconds) for r, row in zip(batch, rows, strict=True)]

    def _padded(self, batch: list[Request]) -> tuple[Any, Any]:
        """Left-padded ids and attention mask, both (rows, longest prompt)."""
        import torch

        width = max(map(prompt_length, batch))
        ids = torch.full((len(batch), width), self.tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for i, request in enumerate(batch):
            tokens = torch.tensor(request.prompt.tokens, dtype=torch.long)
            ids[i, width - len(tokens) :] = tokens
            mask[i, width - len(tokens) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _completion(self, request: Request, row: list[int], seconds: float) -> Completion:
        end = next((i for i, token in enumerate(row) if token in self._end_tokens), None)
        kept = row if end is None else row[:end]
        return Completion(
            key=request.key,
            text=self.tokenizer.decode(kept, skip_special_tokens=True),
            tokens_in=prompt_length(request),
            tokens_out=len(kept) + (end is not None),
            latency_s=seconds,
            finish_reason="length" if end is None else "stop",
        )

    @cached_property
    def _end_tokens(self) -> frozenset[int]:
        return models.end_tokens(self.folder, self.tokenizer)

    @cached_property
    def _model(self) -> Any:
        return models.load_base(self.folder, self.precision, self.device)


# Packages that train but do not take part in a completion.
_NOT_RUN = frozenset({"trl", "accelerate"})
