"""Completions by transformers' own ``generate``, for models that ``decoding`` does not support."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from harness.engines.batching import prompt_length
from harness.engines.sampling import RowwiseSampler, Sampler
from harness.types import Completion, Request


def complete(
    model: Any,
    tokenizer: Any,
    batch: Sequence[Request],
    *,
    ends: frozenset[int],
    samplers: Sequence[Sampler | None],
) -> list[Completion]:
    """Answers to requests of one adapter and one decoding setting, in order."""
    import torch

    ids, mask = _padded(batch, tokenizer.pad_token_id)
    device = next(model.parameters()).device
    options: dict[str, Any] = {}
    drawn = [sampler for sampler in samplers if sampler is not None]
    if drawn:
        options["logits_processor"] = [RowwiseSampler(drawn)]
    with torch.inference_mode():
        started = time.perf_counter()
        out = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=batch[0].max_new_tokens,
            do_sample=False,
            **options,
        )
        rows = out[:, ids.shape[1] :].tolist()
        seconds = (time.perf_counter() - started) / len(batch)
    return [
        _completion(tokenizer, request, row, seconds, ends)
        for request, row in zip(batch, rows, strict=True)
    ]


def _padded(batch: Sequence[Request], pad: int) -> tuple[Any, Any]:
    """Left-padded ids and attention mask, both (rows, longest prompt)."""
    import torch

    width = max(map(prompt_length, batch))
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    for i, request in enumerate(batch):
        tokens = torch.tensor(request.prompt.tokens, dtype=torch.long)
        ids[i, width - len(tokens) :] = tokens
        mask[i, width - len(tokens) :] = 1
    return ids, mask


def _completion(
    tokenizer: Any, request: Request, row: list[int], seconds: float, ends: frozenset[int]
) -> Completion:
    end = next((i for i, token in enumerate(row) if token in ends), None)
    kept = row if end is None else row[:end]
    return Completion(
        key=request.key,
        text=tokenizer.decode(kept, skip_special_tokens=True),
        tokens_in=prompt_length(request),
        tokens_out=len(kept) + (end is not None),
        latency_s=seconds,
        finish_reason="length" if end is None else "stop",
    )
