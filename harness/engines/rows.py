"""The rows of a batch that is being decoded, side by side. Imports torch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch

from harness.engines import prefixes
from harness.engines.keys_values import begun, beside, fresh

ROOM = 64
"""Tokens for which the cache has room beyond those it holds; never more than an answer may have."""
CLOSE = 1e-2
"""Between the two best logits, in fp32: a batch's shape moves them by less than 1e-4."""

READ = {"cpu": 2048, "mps": 16_384, "cuda": 16_384}
"""Tokens that are read in one pass, by kind of device. What a pass of more would compute does not
fit in a processor's caches: on CPU 2,048 are a tenth faster than 16,384."""

Choose = Callable[[Any], int]
"""From the logits (vocabulary,) of one row to its next token."""


@dataclass
class Prompt:
    """One row to come."""

    index: int
    tokens: Sequence[int]
    most: int
    """New tokens at most."""
    choose: Choose | None = None
    """None: the likeliest token."""
    adapter: str | None = None
    """Its name; None: the bare model."""
    shared: int = 0
    """Tokens of the beginning that it shares with others; set by ``decode``."""


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


@dataclass(frozen=True)
class How:
    """What decoding is told, all of it by the engine."""

    ends: frozenset[int]
    """End tokens."""
    pad: int
    rows: Callable[[int], int]
    """How many rows of so many tokens (prompt and answer) may be together."""
    wearing: Callable[[Sequence[str | None]], AbstractContextManager[Mapping[str, Any]]] = (
        lambda names: nullcontext({})
    )
    """A pass with these adapters, one for each row; gives what to tell it besides."""
    mixes: Callable[[str | None], bool] = lambda name: True
    """Whether rows with this adapter may stand beside others."""
    watch: Callable[[Callable[[], object]], None] = lambda work: cast(None, work())
    """Does one step."""
    lanes: int = 1
    """Batches that are decoded side by side, each by a thread of its own."""
    begin: Callable[[], object] = lambda: None
    """Called first in the thread of each lane."""
    share: int | None = None
    """Tokens of shared beginnings that may be held at a time; 0: share none; None: any."""
    worth: int = prefixes.WORTH
    """Tokens that a group with a shared beginning must spare."""
    exact: Callable[[Sequence[int], str | None], Any] | None = None
    """From all tokens of a row and its adapter to the logits that decide where those of the batch
    leave two tokens close."""


class Rows:
    """Rows side by side, the last token of each in the last column."""

    def __init__(self, model: Any, how: How, prompts: Sequence[Prompt]) -> None:
        self._model, self._how = model, how
        self._device = next(model.parameters()).device
        self.rows: list[_Live] = []
        self._cache: Any = None
        self._mask: Any = None
        self._begun: dict[Any, Any] = {}
        self._awaited = Counter(map(beginning, prompts))

    @property
    def live(self) -> int:
        return sum(row.lives for row in self.rows)

    @property
    def width(self) -> int:
        """Columns when every live row is as long as it may become."""
        if self._mask is None or not self.live:
            return 0
        left = (row.prompt.most - len(row.tokens) for row in self.rows if row.lives)
        return int(self._mask.shape[1]) + max(left)

    def join(self, prompts: Sequence[Prompt]) -> None:
        """Reads the prompts, and puts them beside the rows that are there."""
        parts = [self._read(some) for some in _parts(prompts, READ[self._device.type])]
        started = time.perf_counter()
        self.compact()
        if self.rows:
            parts.insert(0, (self._cache, self._mask, self.rows))
        self._cache, self._mask = beside([(cache, mask) for cache, mask, _ in parts])
        self.rows = [row for _, _, rows in parts for row in rows]
        _share([row for row in self.rows if row.lives] or self.rows, started)

    def _read(self, prompts: Sequence[Prompt]) -> tuple[Any, Any, list[_Live]]:
        """Cache, mask and rows of the prompts, each with its first token."""
        started = time.perf_counter()
        beginnings = [self._beginning(prompt) for prompt in prompts]
        before = max(prompt.shared for prompt in prompts)
        width = max(len(prompt.tokens) - prompt.shared for prompt in prompts)
        ids = torch.full((len(prompts), width), self._how.pad, dtype=torch.long)
        mask = torch.zeros((len(prompts), before + width), dtype=torch.long)
        positions = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            n = len(prompt.tokens) - prompt.shared
            ids[i, width - n :] = torch.tensor(prompt.tokens[prompt.shared :], dtype=torch.long)
            positions[i, width - n :] = torch.arange(prompt.shared, len(prompt.tokens))
            mask[i, before - prompt.shared : before] = 1
            mask[i, before + width - n :] = 1
        mask = mask.to(self._device)
        room = min(ROOM, max(prompt.most for prompt in prompts))
        cache = begun(self._model, room, beginnings) if before else fresh(self._model, room)
        names = [prompt.adapter for prompt in prompts]
        logits = self._forward(ids, mask, positions, cache, names)
        new = [_Live(prompt) for prompt in prompts]
        self._take(new, logits)
        _share(new, started)
        return cache, mask, new

    def _beginning(self, prompt: Prompt) -> Any:
        """Keys and values of what the prompt shares with others, read when the first of them
        joins and let go with the last; None: it shares nothing."""
        if not prompt.shared:
            return None
        key = beginning(prompt)
        if key not in self._begun:
            self._begun[key] = fresh(self._model, 0)
            ids = torch.tensor([prompt.tokens[: prompt.shared]], dtype=torch.long)
            positions = torch.arange(prompt.shared)[None]
            mask = torch.ones_like(ids, device=self._device)
            self._forward(ids, mask, positions, self._begun[key], [prompt.adapter])
        found = self._begun[key]
        self._awaited[key] -= 1
        if not self._awaited[key]:
            del self._begun[key]
        return found

    def step(self) -> None:
        """One more token for every row."""
        started = time.perf_counter()
        last = torch.tensor([[row.tokens[-1]] for row in self.rows])
        positions = torch.tensor([[row.held] for row in self.rows])
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(self.rows), 1))], dim=1)
        live = [row for row in self.rows if row.lives]
        names = [row.prompt.adapter for row in self.rows]
        self._take(self.rows, self._forward(last, self._mask, positions, self._cache, names))
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
        mask = self._mask[index]
        # Columns that are padding to all that stay, before the first that is not.
        empty = int(mask.any(0).int().argmax())
        self._mask = mask[:, empty:]
        for layer in self._cache.layers:
            layer.keep(index, empty)

    def ended(self) -> Iterator[Decoded]:
        """The rows that have ended since it was asked last."""
        for row in self.rows:
            if row.answer is not None and not row.told:
                row.told = True
                yield replace(row.answer, seconds=row.seconds / self._how.lanes)
        if not self.live:
            self.rows, self._cache, self._mask = [], None, None

    def _forward(
        self, ids: Any, mask: Any, positions: Any, cache: Any, names: Sequence[str | None]
    ) -> Any:
        """Logits (rows, vocabulary) of the next token."""
        with self._how.wearing(names) as told:
            return self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask,
                position_ids=positions.to(self._device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **told,
            ).logits[:, -1]

    def _take(self, rows: Sequence[_Live], logits: Any) -> None:
        if self._how.exact is not None:
            logits = self._decided(rows, logits.float())
        likeliest = _likeliest(logits)
        for i, row in enumerate(rows):
            choose = row.prompt.choose
            # One that has ended is fed on until it is taken out, and nobody looks at it.
            chosen = choose(logits[i].float()) if choose and row.lives else likeliest[i]
            row.tokens.append(chosen)
            if not row.lives:
                continue
            if chosen in self._how.ends:
                row.answer = Decoded(row.prompt.index, row.tokens[:-1], True, 0.0)
            elif len(row.tokens) >= row.prompt.most:
                row.answer = Decoded(row.prompt.index, row.tokens[:], False, 0.0)

    def _decided(self, rows: Sequence[_Live], logits: Any) -> Any:
        """The logits, of live rows whose best two are close those that ``exact`` gives."""
        exact = self._how.exact
        assert exact is not None
        best = logits.topk(2, dim=-1).values
        for i in (best[:, 0] - best[:, 1] < CLOSE).nonzero()[:, 0].tolist():
            row = rows[i]
            if row.lives:
                tokens = [*row.prompt.tokens, *row.tokens]
                logits[i] = exact(tokens, row.prompt.adapter)
        return logits


def _parts(prompts: Sequence[Prompt], most: int) -> Iterator[list[Prompt]]:
    """The prompts in runs of at most so many tokens, padding included, or of one prompt."""
    part: list[Prompt] = []
    width = 0
    for prompt in prompts:
        own = len(prompt.tokens) - prompt.shared
        if part and max(width, own) * (len(part) + 1) > most:
            yield part
            part, width = [], 0
        part.append(prompt)
        width = max(width, own)
    yield part


def _likeliest(logits: Any) -> list[int]:
    """Of each row the token of the greatest logit, the first of equals."""
    if logits.device.type == "cpu":
        # Seven times as fast as argmax in bfloat16. Elsewhere nobody promises the first of equals,
        # and bfloat16 has many equals.
        return cast("list[int]", logits.max(-1).indices.tolist())
    return cast("list[int]", logits.float().argmax(-1).tolist())


def beginning(prompt: Prompt) -> tuple[str | None, tuple[int, ...]]:
    """Which beginning it is: of prompts that share it the same."""
    return prompt.adapter, tuple(prompt.tokens[: prompt.shared])


def _share(rows: Sequence[_Live], started: float) -> None:
    seconds = time.perf_counter() - started
    for row in rows:
        row.seconds += seconds / len(rows)
