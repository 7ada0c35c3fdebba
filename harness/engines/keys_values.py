"""Keys and values of the rows of a batch, in place: written, joined, thinned out, begun alike.

``DynamicCache`` copies all of them for every token. Imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values with room behind them, so that a token is written and nothing copied."""

    keys: Any
    values: Any
    _held: Any = None

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used, new = self.get_seq_length(), key_states.shape[-2]
        if self._held is None or used + new > self._held[0].shape[-2]:
            self._held = [
                _roomy(old, fresh, used, new + self._room)
                for old, fresh in ((self.keys, key_states), (self.values, value_states))
            ]
        for held, fresh in zip(self._held, (key_states, value_states), strict=True):
            held[..., used : used + new, :] = fresh
        self.keys, self.values = (held[..., : used + new, :] for held in self._held)
        return self.keys, self.values

    def keep(self, index: Any, first: int) -> None:
        """Rows ``index`` from column ``first`` on."""
        self.put(*(side[index][..., first:, :] for side in (self.keys, self.values)))

    def put(self, keys: Any, values: Any) -> None:
        self._held = None
        self.keys, self.values = keys, values


def _roomy(old: Any, fresh: Any, used: int, more: int) -> Any:
    shape = (*fresh.shape[:-2], used + more, fresh.shape[-1])
    held = fresh.new_empty(shape)
    if used:
        held[..., :used, :] = old
    return held


def fresh(model: Any, room: int) -> Any:
    """An empty cache, with room for so many tokens behind those that are written."""
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [Layer(room) for _ in cache.layers]
    return cache


def beside(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Batches (cache and mask) as one, the narrower padded on the left."""
    (cache, mask), *others = parts
    if not others:
        return cache, mask
    width = max(its.shape[1] for _, its in parts)

    def padded(side: Any, dim: int) -> Any:
        missing = width - side.shape[dim]
        if not missing:
            return side
        shape = list(side.shape)
        shape[dim] = missing
        return torch.cat([side.new_zeros(shape), side], dim=dim)

    for layers in zip(*(one.layers for one, _ in parts), strict=True):
        keys = torch.cat([padded(layer.keys, -2) for layer in layers])
        values = torch.cat([padded(layer.values, -2) for layer in layers])
        for layer in layers[1:]:
            # What has been copied is let go, layer by layer.
            layer.put(None, None)
        layers[0].put(keys, values)
    return cache, torch.cat([padded(its, 1) for _, its in parts])


def begun(model: Any, room: int, beginnings: Sequence[Any]) -> Any:
    """A cache whose rows begin with these caches of one row each, or with nothing (None), the
    shorter ones after zeros."""
    cache = fresh(model, room)
    width = max(one.get_seq_length() for one in beginnings if one is not None)
    some = next(one for one in beginnings if one is not None)
    for number, layer in enumerate(cache.layers):
        sides = []
        for side in ("keys", "values"):
            like = getattr(some.layers[number], side)
            made = like.new_zeros((len(beginnings), like.shape[1], width, like.shape[3]))
            for row, one in enumerate(beginnings):
                if one is not None:
                    held = getattr(one.layers[number], side)[0]
                    made[row, :, width - held.shape[1] :] = held
            sides.append(made)
        layer.lazy_initialization(*sides)
        layer.put(*sides)
    return cache
