"""Random sampling whose result does not depend on which rows share a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any


def seed_of(key: str, seed: int) -> int:
    """A 63-bit seed for one request, the same wherever and with whatever it is batched."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Sampler:
    """Chooses the next token of one row, with a generator of its own.

    Nucleus filtering (Holtzman et al. 2020), then the Gumbel-max trick (Gumbel 1954): adding
    Gumbel noise to logits / temperature and taking the arg max draws from the softmax.
    """

    def __init__(self, seed: int, temperature: float, top_p: float) -> None:
        import torch

        self._generator = torch.Generator().manual_seed(seed)
        self._temperature = temperature
        self._top_p = top_p

    def __call__(self, logits: Any) -> int:
        """``logits``: (vocabulary,), of float32."""
        return int(self.noisy(logits).argmax())

    def noisy(self, logits: Any) -> Any:
        """The logits whose arg max is the choice."""
        import torch

        logits = logits / self._temperature
        if self._top_p < 1.0:
            ordered, order = logits.sort(descending=True)
            probabilities = ordered.softmax(-1)
            # A token stays while the mass before it is below top_p, so the first always stays.
            outside = probabilities.cumsum(-1) - probabilities >= self._top_p
            ordered = ordered.masked_fill(outside, float("-inf"))
            logits = torch.full_like(logits, float("-inf")).scatter(-1, order, ordered)
        uniform = torch.rand(logits.shape[-1], generator=self._generator).to(logits.device)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return logits + gumbel


class RowwiseSampler:
    """A transformers logits processor with a ``Sampler`` a row; the caller decodes greedily."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._samplers = samplers

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        rows = zip(self._samplers, scores.float(), strict=True)
        return torch.stack([sampler.noisy(row) for sampler, row in rows])
