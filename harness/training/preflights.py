"""Checks that stop a training run before it wastes hours or tells lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.errors import PreflightError
from harness.training.rows import IGNORE, Row

MAX_GRADIENT_ERROR = 1e-3
"""Relative; deterministic kernels give 0, a repacked 4-bit weight gives about 0.7."""
MAX_NOISE = 0.1
"""Between two equal passes: fused kernels on GPUs add in no fixed order."""


def tensors(rows: Sequence[Row], pad: int, device: Any) -> dict[str, Any]:
    """Right-padded ``input_ids``, ``attention_mask`` and ``labels``, each (rows, longest)."""
    import torch

    width = max(len(r.input_ids) for r in rows)

    def padded(values: Sequence[Sequence[int]], fill: int) -> Any:
        return torch.tensor([[*v, *[fill] * (width - len(v))] for v in values], device=device)

    return {
        "input_ids": padded([r.input_ids for r in rows], pad),
        "attention_mask": padded([[1] * len(r.input_ids) for r in rows], 0),
        "labels": padded([r.labels for r in rows], IGNORE),
    }


def gradient_parity(model: Any, batch: dict[str, Any]) -> float:
    """Relative L2 error of the adapter's gradients after an evaluation against before one.

    Raises PreflightError above ``MAX_GRADIENT_ERROR``: some kernels repack 4-bit weights at the
    first forward without gradients, after which training is silently wrong.
    """
    import torch

    was_training = model.training
    model.eval()
    before = _gradients(model, batch)
    noise = _error(_gradients(model, batch), before)
    with torch.no_grad():
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    after = _gradients(model, batch)
    model.train(was_training)
    error = _error(after, before)
    if not float(before.norm()) > 0:
        raise PreflightError("No gradient reaches the adapter, so it cannot learn.")
    if not error <= max(MAX_GRADIENT_ERROR, 3 * noise) or not noise < MAX_NOISE:
        raise PreflightError(
            f"Gradients after an evaluation differ from those before it by {error:.2g} (relative). "
            "A 4-bit kernel on this machine changes the weights' layout in place; training would "
            'be silently wrong. Upgrade bitsandbytes, or train with precision = "bf16".'
        )
    return error


def _error(found: Any, expected: Any) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def _gradients(model: Any, batch: dict[str, Any]) -> Any:
    import torch

    model.zero_grad(set_to_none=True)
    model(**batch).loss.backward()
    found = [p.grad.float().flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    if not found:
        raise PreflightError("No gradient reaches the adapter, so it cannot learn.")
    return torch.cat(found).cpu()


def logit_change(model: Any, batch: dict[str, Any]) -> float:
    """Largest change that the trained adapter makes to a logit of ``batch``.

    Raises PreflightError where it makes none.
    """
    import torch

    inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
    model.eval()
    with torch.no_grad():
        on = model(**inputs).logits.float()
        with model.disable_adapter():
            off = model(**inputs).logits.float()
    change = float((on - off).abs().max())
    if not change > 0:
        raise PreflightError("The trained adapter changes no logit: training had no effect.")
    return change


def finite_loss(step: int, loss: float) -> None:
    """Raises PreflightError for a loss that is not a number."""
    if not math.isfinite(loss):
        raise PreflightError(
            f"The training loss became {loss} at step {step}. Lower learning_rate, or set "
            "max_grad_norm."
        )
