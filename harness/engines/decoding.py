"""Decoding many prompts at once: a row leaves when it has ended, and another takes its place.

What transformers' ``generate`` does for a batch, but that no row waits for the longest, and that
keys and values are written in place where ``DynamicCache`` copies all of them for every token.
Imports torch: to be imported where a model is at hand.
"""

from __future__ import annotations

import inspect
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

JOIN = 0.25
"""Share of the rows that has to be free before others join: each joining is a pass of its own, and
copies the cache."""
LEAVE = 0.75
"""Share of live rows below which the ended ones are taken out, where no other can join."""
ROOM = 64
"""Tokens for which the cache has room beyond those it holds; never more than an answer may have."""

Choose = Callable[[Any], int]
"""From the logits (vocabulary,) of one row to its next token."""


@dataclass
class Prompt:
    """One row to come."""

    index: int
    tokens: Sequence[int]
    choose: Choose | None = None
    """None: the likeliest token."""


@dataclass(frozen=True)
class Decoded:
    """What one prompt was answered: token ids, the end token left out."""

    index: int
    tokens: list[int]
    ended: bool
    """By an end token, and not by the number of tokens."""
    seconds: float
    """Its share of all passes that it took part in."""


@dataclass
class _Live:
    prompt: Prompt
    tokens: list[int] = field(default_factory=list)
    """All that was chosen, the last of which is fed next."""
    seconds: float = 0.0
    answer: Decoded | None = None
    """Once it has ended."""
    told: bool = False

    @property
    def held(self) -> int:
        """Tokens of it that the cache holds."""
        return len(self.prompt.tokens) + len(self.tokens) - 1

    @property
    def lives(self) -> bool:
        return self.answer is None


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


def decode(
    model: Any,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    ends: frozenset[int],
    pad: int,
    rows: Callable[[int], int],
) -> Iterator[Decoded]:
    """The answers, in the order in which they end; ``prompts`` with the longest first.

    ``rows(width)`` is how many rows of so many tokens (prompt and answer) may be together.
    """
    queue = deque(prompts)
    batch = _Batch(model, ends, pad, max_new_tokens)
    while queue or batch.live:
        longest = max(batch.width, len(queue[0].tokens) + max_new_tokens if queue else 0)
        most = max(1, rows(longest))
        free = most - batch.live
        with torch.inference_mode():
            if queue and free > 0 and (not batch.live or free >= JOIN * most):
                batch.join([queue.popleft() for _ in range(min(free, len(queue)))])
            else:
                if batch.live <= LEAVE * len(batch.rows):
                    batch.compact()
                batch.step()
        yield from batch.ended()


class _Batch:
    """Rows side by side, the last token of each in the last column."""

    def __init__(self, model: Any, ends: frozenset[int], pad: int, most: int) -> None:
        self._model, self._ends, self._pad, self._most = model, ends, pad, most
        self._device = next(model.parameters()).device
        self.rows: list[_Live] = []
        self._cache: Any = None
        self._mask: Any = None

    @property
    def live(self) -> int:
        return sum(row.lives for row in self.rows)

    @property
    def width(self) -> int:
        """Of the widest live row, when it is as long as it may become."""
        return max((len(r.prompt.tokens) for r in self.rows if r.lives), default=0) + self._most

    def join(self, prompts: Sequence[Prompt]) -> None:
        """Reads the prompts, and puts them beside the rows that are there."""
        started = time.perf_counter()
        width = max(len(prompt.tokens) for prompt in prompts)
        ids = torch.full((len(prompts), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt.tokens) :] = torch.tensor(prompt.tokens, dtype=torch.long)
            mask[i, width - len(prompt.tokens) :] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        cache = _cache(self._model, min(ROOM, self._most))
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self._forward(ids, mask, positions, cache)
        new = [_Live(prompt) for prompt in prompts]
        self._take(new, logits)
        _share(new, started)
        started = time.perf_counter()
        if self.rows:
            self.compact()
        if self.rows:
            cache, mask = _beside(self._cache, self._mask, cache, mask)
        self._cache, self._mask = cache, mask
        self.rows += new
        _share([row for row in self.rows if row.lives] or new, started)

    def step(self) -> None:
        """One more token for every row."""
        started = time.perf_counter()
        last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self._device)
        positions = torch.tensor([[row.held] for row in self.rows], device=self._device)
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(self.rows), 1))], dim=1)
        live = [row for row in self.rows if row.lives]
        self._take(self.rows, self._forward(last, self._mask, positions, self._cache))
        _share(live, started)

    def compact(self) -> None:
        """Takes out the rows that have ended."""
        kept = [i for i, row in enumerate(self.rows) if row.lives]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[i] for i in kept]
        if not kept:
            self._cache = self._mask = None
            return
        index = torch.tensor(kept, device=self._device)
        # Columns that are padding to all that stay.
        empty = int(self._mask.shape[1]) - max(row.held for row in self.rows)
        self._mask = self._mask[index, empty:]
        for layer in self._cache.layers:
            layer.keep(index, empty)

    def ended(self) -> Iterator[Decoded]:
        """The rows that have ended since it was asked last."""
        for row in self.rows:
            if row.answer is not None and not row.told:
                row.told = True
                yield replace(row.answer, seconds=row.seconds)
        if not self.live:
            self.rows, self._cache, self._mask = [], None, None

    def _forward(self, ids: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Logits (rows, vocabulary) of the next token."""
        return self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _take(self, rows: Sequence[_Live], logits: Any) -> None:
        likeliest = logits.float().argmax(-1).tolist()
        for i, row in enumerate(rows):
            choose = row.prompt.choose
            # One that has ended is fed on until it is taken out, and nobody looks at it.
            chosen = choose(logits[i].float()) if choose and row.lives else likeliest[i]
            row.tokens.append(chosen)
            if not row.lives:
                continue
            if chosen in self._ends:
                row.answer = Decoded(row.prompt.index, row.tokens[:-1], True, 0.0)
            elif len(row.tokens) >= self._most:
                row.answer = Decoded(row.prompt.index, row.tokens[:], False, 0.0)


def _share(rows: Sequence[_Live], started: float) -> None:
    seconds = time.perf_counter() - started
    for row in rows:
        row.seconds += seconds / len(rows)


class _Layer(DynamicLayer):  # type: ignore[misc]
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


def _cache(model: Any, room: int) -> Any:
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [_Layer(room) for _ in cache.layers]
    return cache


def _beside(cache: Any, mask: Any, other: Any, its: Any) -> tuple[Any, Any]:
    """Two batches as one, the narrower padded on the left."""
    width = max(mask.shape[1], its.shape[1])

    def padded(side: Any, dim: int) -> Any:
        missing = width - side.shape[dim]
        if not missing:
            return side
        shape = list(side.shape)
        shape[dim] = missing
        return torch.cat([side.new_zeros(shape), side], dim=dim)

    for mine, theirs in zip(cache.layers, other.layers, strict=True):
        keys, values = (
            torch.cat([padded(a, -2), padded(b, -2)])
            for a, b in ((mine.keys, theirs.keys), (mine.values, theirs.values))
        )
        mine.put(keys, values)
    return cache, torch.cat([padded(mask, 1), padded(its, 1)])
