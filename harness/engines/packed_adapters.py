"""LoRA layers whose two products lie as the CPU's matrix kernel wants them, and are added to the
base's output inside the second one.

PEFT computes what an adapter adds in fp32: the input is copied to that type, two thin products are
unpacked for every pass, and three more passes over the output scale, add and round. Where an
adapter sits on all linear layers that takes 0.4 of the base's own time. Here a weight is split
into two bfloat16 parts, its nearest and what that leaves, so that 16 of its bits count; the sum is
taken in fp32 and rounded once. What is lost beside PEFT's is the rounding of the few values
between the two products, as far below the output's own rounding as the addition is below the
output. Weights that bfloat16 holds as they are have no second part.
"""

from __future__ import annotations

from typing import Any

from harness.engines.packing import NEAR, ROWS, is_packed


def pack(model: Any, name: str) -> int:
    """Lay out the adapter ``name`` of a PeftModel. Returns the number of layers.

    A layer that is no plain LoRA on a packed linear layer, or whose product differs from PEFT's
    own, stays as it was.
    """
    return sum(_pack(module, name) for module in model.modules() if _fits(module, name))


def _fits(module: Any, name: str) -> bool:
    from peft.tuners.lora import LoraLayer

    if not isinstance(module, LoraLayer) or name not in module.lora_A:
        return False
    bare = name not in module.lora_variant and module.lora_B[name].bias is None
    return bare and is_packed(module.get_base_layer())


def _pack(module: Any, name: str) -> bool:
    import torch

    try:
        with torch.inference_mode():
            laid = _laid(module, name)
            x = torch.sin(torch.arange(2 * module.in_features)).reshape(2, -1).bfloat16()
            base = module.base_layer(x)
            ours = _product(x, base, *laid).float()
            theirs = _theirs(module, name, x, base).float()
    except RuntimeError:
        return False
    if not float((ours - theirs).abs().max()) <= NEAR * float(theirs.abs().max()):
        return False
    _packed(module)[name] = laid
    return True


def _laid(module: Any, name: str) -> tuple[Any, Any]:
    """The two weights, of r, 2 r or 3 r inner rows: A's parts, and B's parts that meet them."""
    import torch

    a = _parts(module.lora_A[name].weight)
    b = _parts(module.lora_B[name].weight.detach().float() * module.scaling[name])
    # (a + a') (b + b'), but for a' b', which is below fp32's last bit.
    inner = [(left, b[0]) for left in a] + [(a[0], right) for right in b[1:]]
    reorder = torch.ops.mkldnn._reorder_linear_weight
    down = torch.cat([left for left, _ in inner], dim=0)
    up = torch.cat([right for _, right in inner], dim=1)
    return reorder(down, ROWS), reorder(up, ROWS)


def _parts(weight: Any) -> list[Any]:
    """Nearest bfloat16, and the nearest of what is left where something is."""
    import torch

    weight = weight.detach().float()
    near = weight.to(torch.bfloat16)
    left = (weight - near.float()).to(torch.bfloat16)
    return [near, left] if bool(left.any()) else [near]


def _product(x: Any, base: Any, down: Any, up: Any) -> Any:
    import torch

    few = torch.ops.mkldnn._linear_pointwise(x, down, None, "none", [], "")
    return torch.ops.mkldnn._linear_pointwise.binary(few, base, up, None, "add")


def _theirs(module: Any, name: str, x: Any, base: Any) -> Any:
    """As PEFT's own forward has it."""
    few = module.lora_A[name](x.to(module.lora_A[name].weight.dtype))
    return (base + module.lora_B[name](few) * module.scaling[name]).to(base.dtype)


def _packed(module: Any) -> dict[str, tuple[Any, Any]]:
    """Laid out weights by adapter, of the function that now stands for the layer's own."""
    import torch

    held: dict[str, tuple[Any, Any]] | None = getattr(module.forward, "laid", None)
    if held is not None:
        return held
    plain = module.forward
    laid: dict[str, tuple[Any, Any]] = {}

    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        active = module.active_adapters
        if (
            len(active) != 1
            or active[0] not in laid
            or args
            or kwargs
            or module.disable_adapters
            or module.merged
            or x.dtype != torch.bfloat16
            # The packed product has no gradient.
            or torch.is_grad_enabled()
        ):
            return plain(x, *args, **kwargs)
        return _product(x, module.base_layer(x), *laid[active[0]])

    forward.laid = laid  # type: ignore[attr-defined]
    module.forward = forward
    return laid
