"""Teacher forcing: how likely a target is after its prompt, in batches.

The model reads prompt and target at once; the logits at the places before the target's tokens
say how likely each was. Logits of other places are never built: at a vocabulary of 49,152 those of
one prompt of 300 tokens would take 59 MB, and most of the time.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness import models
from harness.errors import PreflightError
from harness.types import Forced, Likelihood

MAX_LOGITS = 1 << 27
"""Numbers in the logits of one batch: half a gigabyte in fp32."""
_ROWS = 256
"""Rows of logits that are normalised at a time, in fp32."""


@dataclass(frozen=True)
class Row:
    """A request in tokens."""

    request: Forced
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """The target's, then the end token where there is one."""
    ended: bool
    bytes: int

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.answer)


def row(tokenizer: Any, ends: frozenset[int], request: Forced, context: int) -> Row | Likelihood:
    """The request in tokens, those of a training row; or, with the reason, no likelihood."""
    target = request.target
    if not request.prompt.tokens:
        return _none(request, "there is no token before the target")
    try:
        found = models.closed(tokenizer, request.prompt, target, ends)
    except PreflightError as error:
        return _none(request, str(error))
    kept = target if found.text.startswith(target) else target.strip()
    if not found.text.startswith(kept) or _marks(tokenizer, ends, kept):
        # Its tokens could not be told from the template's.
        return _none(request, "the chat template rewrites the target, or the target ends the turn")
    end = found.end
    answer = models.encode(tokenizer, [kept])[0] if end is None else found.ids[: end + 1]
    made = Row(
        request,
        request.prompt.tokens,
        tuple(answer),
        end is not None,
        len(kept.encode("utf-8", "surrogatepass")),
    )
    if made.length > context:
        return _none(
            request,
            f"prompt and target too long: {made.length} tokens exceed the context of {context}",
        )
    return made


def batches(
    rows: Sequence[Row], *, max_rows: int, max_tokens: Callable[[], int], vocabulary: int
) -> Iterator[list[Row]]:
    """Rows of one adapter and of similar length, the longest first; a row alone over a bound gets
    a batch of its own."""
    groups: dict[tuple[str | None, str | None], list[Row]] = defaultdict(list)
    for one in rows:
        groups[one.request.adapter, one.request.adapter_sha256].append(one)
    for group in groups.values():
        group.sort(key=lambda r: (-r.length, r.request.key))
        batch: list[Row] = []
        for one in group:
            more = [*batch, one]
            logits = sum(len(r.answer) for r in more) * vocabulary
            if batch and (
                len(more) > max_rows
                or len(more) * more[0].length > max_tokens()
                or logits > MAX_LOGITS
            ):
                yield batch
                more = [one]
            batch = more
        if batch:
            yield batch


def measure(
    model: Any, batch: Sequence[Row], pad: int, device: str, places: Places
) -> list[Likelihood]:
    """Likelihoods of the rows, by one forward pass. ``places``: of this model."""
    import torch

    width = max(r.length for r in batch)
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    wanted = torch.zeros((len(batch), width), dtype=torch.bool)
    for i, one in enumerate(batch):
        # On the right, so that padding comes after and no position is shifted by it.
        ids[i, : one.length] = torch.tensor([*one.prompt, *one.answer], dtype=torch.long)
        mask[i, : one.length] = 1
        # The place before a token is the one that predicts it.
        wanted[i, len(one.prompt) - 1 : one.length - 1] = True
    with torch.inference_mode(), places.only(wanted.to(device)):
        logits = model(
            input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False
        ).logits
    if logits.dim() == 3:
        # A model whose head is not where transformers says: its logits are all there.
        logits = logits[wanted.to(device)]
    tokens = torch.tensor([t for one in batch for t in one.answer], device=device)
    logs = _log_probabilities(logits, tokens)
    found, start = [], 0
    for one in batch:
        found.append(_likelihood(one, logs[start : start + len(one.answer)]))
        start += len(one.answer)
    return found


class Places:
    """For which places the model's head computes logits, in the passes of each thread."""

    def __init__(self, model: Any) -> None:
        self._mine = threading.local()
        head = model.get_output_embeddings()
        self._hook = head.register_forward_pre_hook(self._narrowed) if head is not None else None

    def close(self) -> None:
        """Leave the model as it was."""
        if self._hook is not None:
            self._hook.remove()

    @contextmanager
    def only(self, wanted: Any) -> Iterator[None]:
        """The head sees the hidden states of the wanted places alone, as (places, width)."""
        self._mine.wanted = wanted
        try:
            yield
        finally:
            del self._mine.wanted

    def _narrowed(self, _: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        wanted = getattr(self._mine, "wanted", None)
        return inputs if wanted is None else (inputs[0][wanted], *inputs[1:])


def _log_probabilities(logits: Any, tokens: Any) -> list[float]:
    """Natural logarithms of the probabilities of ``tokens`` (n,) under ``logits`` (n, v)."""
    found: list[float] = []
    for start in range(0, len(tokens), _ROWS):
        some = logits[start : start + _ROWS].float()
        mine = tokens[start : start + _ROWS, None]
        found += (some.gather(1, mine)[:, 0] - some.logsumexp(1)).tolist()
    return found


def _likelihood(one: Row, logs: Sequence[float]) -> Likelihood:
    if not all(map(math.isfinite, logs)):
        return _none(one.request, "the model's logits are no finite numbers")
    own, end = (logs[:-1], logs[-1]) if one.ended else (logs, None)
    return Likelihood(one.request.key, float(sum(own)), end, len(own), one.bytes)


def _none(request: Forced, reason: str) -> Likelihood:
    return Likelihood(request.key, None, None, 0, 0, reason)


def _marks(tokenizer: Any, ends: frozenset[int], text: str) -> bool:
    return any(token in ends for token in models.encode(tokenizer, [text])[0])
