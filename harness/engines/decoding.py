"""Decoding many prompts at once: a row leaves when it has ended, and another takes its place.

What transformers' ``generate`` does for a batch, but that no row waits for the longest, that keys
and values are written in place, and that a beginning that prompts share is read once. Rows with
different adapters may stand side by side. Imports torch.
"""

from __future__ import annotations

import inspect
import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from harness.engines import lanes, prefixes
from harness.engines.rows import Decoded, How, Prompt, Rows, beginning

JOIN = 0.25
"""Share of the rows that has to be free before others join: each joining is a pass of its own, and
copies the cache."""
LEAVE = 0.75
"""Share of live rows below which the ended ones are taken out, where no other can join."""

DECODE = 2
"""Tokens of a prompt that are read in the time of one that is decoded, about."""


def supports(model: Any) -> bool:
    """Whether the model keeps whole keys and values in every layer, and is told the positions."""
    config = model.config.get_text_config(decoder=True)
    if getattr(config, "is_encoder_decoder", False):
        return False
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    known = inspect.signature(base.forward).parameters
    if not {"position_ids", "past_key_values", "logits_to_keep", "attention_mask"} <= set(known):
        return False
    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def decode(model: Any, prompts: Sequence[Prompt], how: How) -> Iterator[Decoded]:
    """The answers, in the order in which they end; ``prompts`` in the order in which they begin.

    Longest first is best, as rows that join together are padded, and one that does not fit in
    memory shows at once.
    """
    _share_beginnings(prompts, how.share, how.worth)
    if how.lanes == 1:
        yield from itertools.chain.from_iterable(_lane(model, prompts, how))
        return
    # One pass with several adapters keeps all others waiting.
    how = replace(how, mixes=lambda name: False, watch=lambda work: cast(None, work()))
    # Adapter by adapter: a lane that went ahead to the next one would have the other wait for each
    # of its passes, as only one adapter is on at a time.
    for _, group in itertools.groupby(prompts, key=lambda p: p.adapter):
        mine = list(group)
        number = max(1, min(how.lanes, len(mine) // lanes.LEAST))
        dealt = lanes.dealt(
            mine,
            number,
            lambda p: len(p.tokens) - p.shared + DECODE * p.most,
            lambda p: beginning(p) if p.shared else None,
            lambda p: p.shared,
        )
        streams = [_lane(model, some, replace(how, lanes=number)) for some in dealt if some]
        yield from lanes.merged(streams, how.begin)


def _lane(model: Any, prompts: Sequence[Prompt], how: How) -> Iterator[list[Decoded]]:
    """What has ended, after every pass."""
    queue = deque(prompts)
    batch = Rows(model, how, prompts)
    while queue or batch.live:
        free = _free(batch, queue, how)
        with torch.inference_mode():
            if free:
                batch.join([queue.popleft() for _ in range(free)])
            else:
                if batch.live <= LEAVE * len(batch.rows):
                    batch.compact()
                how.watch(batch.step)
        yield list(batch.ended())


def _share_beginnings(prompts: Sequence[Prompt], most: int | None, worth: int) -> None:
    groups: dict[str | None, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        groups[prompt.adapter].append(prompt)
    for group in groups.values():
        lengths = [0] * len(group)
        if most is None or most > 0:
            lengths = prefixes.shared([p.tokens for p in group], most=most, worth=worth)
        for prompt, length in zip(group, lengths, strict=True):
            prompt.shared = length


def _free(batch: Rows, queue: deque[Prompt], how: How) -> int:
    """How many of those who wait join now."""
    if not queue:
        return 0
    there = [row.prompt for row in batch.rows if row.lives]
    adapter = queue[0].adapter
    if any(
        p.adapter != adapter and not (how.mixes(adapter) and how.mixes(p.adapter)) for p in there
    ):
        return 0
    longest = max(batch.width, len(queue[0].tokens) + queue[0].most)
    most = max(1, how.rows(longest))
    free = most - len(there)
    if free <= 0 or (there and free < JOIN * most):
        return 0
    # Those that join are read together, best with one adapter.
    alike = itertools.takewhile(lambda p: p.adapter == adapter, itertools.islice(queue, free))
    return sum(1 for _ in alike)
