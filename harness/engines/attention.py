"""Attention in bfloat16 on CPUs, where torch's kernel is slow at what is asked here.

*Many queries*, on processors whose bfloat16 unit is AVX-512's: that kernel calls a small product
for every block of every head, a third of the time that a prompt is read in. Here the products of
all heads are one batched product each, heads that share keys side by side in it: half the time at
50 to 500 tokens (AMD EPYC; with AMX it was not measured and is not done). Queries are taken in
blocks, each with the keys up to its end, as later ones do not count. A product in bfloat16 rounds
the scores to 8 bits, which torch's kernel does not; so what the rounding took is computed by a
second product, the first taken off, and added in fp32.

*One query a row*: heads that share keys are queries of one head. transformers does so where there
is a mask; where there is none, torch's own way to share keys is five times as slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "harness_cpu"
BLOCK = 64
"""Queries of one block."""
MOST = 1024
"""Queries up to which it gains; at 2,000 the fused kernel is as fast."""
NEAR = 5e-2
"""Mean difference of a probe's logits from those of torch's kernel, relative to their mean size:
thirty layers of bfloat16 make 1 to 2 of 100, another mask or scale far more."""


def install(model: Any, probe: Sequence[int]) -> bool:
    """Have ``model``, on a CPU, use it, where the logits of ``probe`` (token ids) stay what they
    were. Returns whether it does."""
    config = model.config
    # Of models in several parts, some of which are no language models, nothing is switched.
    if config.get_text_config(decoder=True) is not config or not _may(model):
        return False
    if model.dtype != torch.bfloat16 or config._attn_implementation != "sdpa":
        return False
    before = _logits(model, probe)
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    moved = (_logits(model, probe) - before).abs().mean()
    if config._attn_implementation == NAME and float(moved) <= NEAR * float(before.abs().mean()):
        return True
    model.set_attn_implementation("sdpa")
    return False


def _may(model: Any) -> bool:
    """Whether the model's attention can be chosen; some have it written into their layers."""
    return bool(getattr(model, "_can_set_attn_implementation", lambda: False)())


@cache
def _gains() -> bool:
    """Whether the processor is one on which many queries gain."""
    # Of torch before 2.11 nothing is known.
    able: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(able.get("avx512_bf16")) and not able.get("amx_tile")


def _logits(model: Any, probe: Sequence[int]) -> Any:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([probe]), use_cache=False).logits.float()


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """As transformers calls it: (rows, heads, queries, size) by (rows, key heads, keys, size) and
    a mask, true where a query sees a key, to (rows, queries, heads, size)."""
    if not _ours(module, query, key, value, attention_mask, kwargs):
        found: tuple[Any, Any] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return found
    rows, heads, queries, size = query.shape
    groups, keys = key.shape[1], key.shape[2]
    if queries == 1:
        block = query.reshape(rows, groups, heads // groups, size)
        made = scaled_dot_product_attention(block, key, value, attention_mask, scale=scaling)
        return made.reshape(rows, 1, heads, size), None
    scale = size**-0.5 if scaling is None else scaling
    key = key.reshape(rows * groups, keys, size).transpose(1, 2)
    value = value.reshape(rows * groups, keys, size)
    answer = query.new_empty((rows, queries, groups, heads // groups, size))
    for first in range(0, queries, BLOCK):
        last = min(queries, first + BLOCK)
        seen = keys - queries + last
        block = query[:, :, first:last].reshape(rows * groups, -1, size)
        scores = _scores(block, key[..., :seen])
        scores = scores.view(rows, groups, heads // groups, last - first, seen).mul_(scale)
        scores.add_(_bias(attention_mask, first, last, seen))
        weights = torch.softmax(scores, -1).to(query.dtype)
        made = torch.bmm(weights.view(rows * groups, -1, seen), value[:, :seen])
        made = made.view(rows, groups, heads // groups, last - first, size)
        answer[:, first:last] = made.permute(0, 3, 1, 2, 4)
    return answer.view(rows, queries, heads, size), None


def _bias(mask: Any, first: int, last: int, seen: int) -> Any:
    """What is added to the scores of these queries and keys, over groups and heads."""
    if mask is None:
        block = torch.ones((last - first, seen), dtype=torch.bool).tril(first)[None, None]
    else:
        block = mask[:, :, first:last, :seen]
    # Not infinity: a row of padding sees nothing, and must not become NaN.
    least = torch.finfo(torch.float32).min
    return torch.zeros(block.shape).masked_fill_(~block, least)[:, :, None]


def _scores(query: Any, key: Any) -> Any:
    """The product in fp32."""
    near = torch.bmm(query, key)
    left = torch.baddbmm(near, query, key, beta=-1)
    return near.float().add_(left)


def _ours(module: Any, query: Any, key: Any, value: Any, mask: Any, kwargs: Any) -> bool:
    """Whether it is plain causal attention of a kind that gains."""
    told = [kwargs.get(name) for name in ("position_bias", "cache", "softcap", "s_aux")]
    if query.dtype != torch.bfloat16 or torch.is_grad_enabled():
        return False
    if query.shape[2] > 1 and not (query.shape[2] <= MOST and _gains()):
        return False
    if not getattr(module, "is_causal", False) or kwargs.get("is_causal") is False:
        return False
    if kwargs.get("dropout") or any(one is not None for one in told):
        return False
    if key.shape[-1] != value.shape[-1]:
        return False
    if mask is None:
        return query.shape[2] in (1, key.shape[2])
    return bool(mask.dtype == torch.bool and mask.shape[1] == 1 and mask.shape[-1] == key.shape[2])
