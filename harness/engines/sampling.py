"""Random sampling whose result does not depend on which rows share a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any


def seed_of(key: str, seed: int) -> int:
    """A 63-bit seed for one request, the same wherever and with whatever it is batched."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class RowwiseSampler:
    """A transformers logits processor that samples each row with a generator of its own.

    Nucleus filtering (Holtzman et al. 2020), then the Gumbel-max trick (Gumbel 1954): adding
    Gumbel noise to logits / temperature and taking the arg max draws from the softmax, so the
    caller decodes greedily.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        import torch

        self._generators = [torch.Generator().manual_seed(s) for s in seeds]
        self._temperature = temperature
        self._top_p = top_p

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        logits = scores.float() / self._temperature
        if self._top_p < 1.0:
            ordered, order = logits.sort(dim=-1, descending=True)
            probabilities = ordered.softmax(-1)
            # A token stays while the mass before it is below top_p, so the first always stays.
            outside = probabilities.cumsum(-1) - probabilities >= self._top_p
            ordered = ordered.masked_fill(outside, float("-inf"))
            logits = torch.full_like(logits, float("-inf")).scatter(-1, order, ordered)
        uniform = torch.stack(
            [torch.rand(logits.shape[-1], generator=g) for g in self._generators]
        ).to(logits.device)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return logits + gumbel
