"""Linear layers whose weights lie as the CPU's matrix kernel wants them.

torch lays a bfloat16 weight out anew for every product; with few rows that takes as long as the
product itself. oneDNN's prepacked product (what torch.compile uses) reads the weight once laid
out: at 1 to 128 rows 1.4 to 2.5 times as fast here, from 1,000 rows on the same. The layer's own
weight stays, so that adapters and tied embeddings find it; the packed copy doubles the memory of
these layers.

A 4-bit layer is unpacked once, to the very values that its own kernel computes for each product.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

ROWS = 64
"""Rows of a product that the layout is made for; others are computed right, too."""
NEAR = 2.0**-7
"""Largest difference from the plain product, relative to its largest value: one step of
bfloat16 and a little."""


def pack(model: Any, free_bytes: int) -> int:
    """Pack every linear layer that can be, the bytes taken being fewer than ``free_bytes``.

    A layer whose packed product differs from its own stays as it was. Returns the number packed.
    """
    import torch

    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return 0
    packed = 0
    for module in model.modules():
        weight = _weight(module)
        if weight is None:
            continue
        free_bytes -= weight.numel() * weight.element_size()
        if free_bytes < 0:
            break
        packed += _pack(module, weight)
    return packed


def _weight(module: Any) -> Any:
    """The layer's weight (out, in) in bfloat16; None where it is no such layer."""
    import torch

    if type(module) is torch.nn.Linear:
        return module.weight if module.weight.dtype == torch.bfloat16 else None
    if type(module).__name__ != "Linear4bit" or module.compute_dtype != torch.bfloat16:
        return None
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(module.weight.data, module.weight.quant_state).to(torch.bfloat16)


def _known(weight: Any) -> tuple[int, int]:
    """Where the values lie, and how often they were changed there."""
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


def _pack(module: Any, weight: Any) -> bool:
    import torch

    own, bias, known = type(module).forward, module.bias, _known(module.weight)
    if bias is not None:
        bias = bias.detach().to(weight.dtype)
    try:
        laid = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS)

        def forward(self: Any, x: Any) -> Any:
            # A copy of the layer (PEFT trains some whole) and weights put in later are not what
            # was laid out. The packed product has no gradient and knows one type.
            if _known(self.weight) != known or x.dtype != torch.bfloat16 or torch.is_grad_enabled():
                return own(self, x)
            return torch.ops.mkldnn._linear_pointwise(x, laid, bias, "none", [], "")

        with torch.inference_mode():
            probe = torch.sin(torch.arange(2 * weight.shape[1])).reshape(2, -1).to(weight.dtype)
            ours, theirs = forward(module, probe).float(), own(module, probe).float()
    except RuntimeError:
        return False
    if not float((ours - theirs).abs().max()) <= NEAR * float(theirs.abs().max()):
        return False
    forward.packed = True  # type: ignore[attr-defined]
    # A method, so that a copy of the layer has one of its own.
    module.forward = MethodType(forward, module)
    return True


def is_packed(module: Any) -> bool:
    """Whether the layer's weights were laid out here."""
    return hasattr(vars(module).get("forward"), "packed")
