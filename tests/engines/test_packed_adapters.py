"""Packed adapters add what PEFT adds, and only where and while PEFT would add it."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")
peft = pytest.importorskip("peft", reason="the extra 'local' is not installed")

from harness.engines import packed_adapters, packing  # noqa: E402

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no oneDNN"
)


class Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(48, 96), torch.nn.Linear(96, 48, bias=False)

    def forward(self, x: Any) -> Any:
        return self.down(torch.nn.functional.silu(self.up(x)))


def adapted(*names: str, pack: bool = True, **options: Any) -> Any:
    """The same base and adapters however often it is called."""
    torch.manual_seed(0)
    made: Any = Two().bfloat16().eval()
    packing.pack(made, 1 << 30)
    for i, name in enumerate(names):
        options = {"target_modules": ["up", "down"], "init_lora_weights": False, **options}
        config = peft.LoraConfig(r=4, lora_alpha=6 + i, **options)
        if i:
            made.add_adapter(name, config)
        else:
            made = peft.get_peft_model(made, config, adapter_name=name)
    made.eval()
    if pack:
        for name in names:
            assert packed_adapters.pack(made, name) == 2
    return made


def inputs(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).bfloat16()


def near(ours: Any, theirs: Any) -> bool:
    return float((ours - theirs).abs().max()) <= 2**-6 * float(theirs.abs().max())


@pytest.mark.parametrize("shape", [(1, 48), (5, 48), (3, 7, 48), (130, 48)])
@torch.inference_mode()
def test_values_are_those_of_peft(shape: tuple[int, ...]) -> None:
    plain, packed, x = adapted("one", pack=False), adapted("one"), inputs(*shape)
    assert near(packed(x), plain(x))
    with plain.disable_adapter():
        assert not near(packed(x), plain(x)), "the adapter must change something here"


@torch.inference_mode()
def test_the_weights_count_to_16_bits() -> None:
    """Rounded to bfloat16, the whole of this adapter would be off by 1 in 300."""
    packed = adapted("one")
    layer = packed.base_model.model.up
    for side in (layer.lora_A["one"], layer.lora_B["one"]):
        side.weight.fill_(1 + 2**-8 - 2**-14)
    layer.base_layer.weight.zero_()
    layer.base_layer.bias.zero_()
    exact = layer.scaling["one"] * 4 * 48 * (1 + 2**-8 - 2**-14) ** 2
    down, up = packed_adapters._laid(layer, "one")
    ones = torch.ones(2, 48).bfloat16()
    found = packed_adapters._product(ones, torch.zeros(2, 96).bfloat16(), down, up)
    assert float(found[0, 0]) == pytest.approx(exact, rel=2**-8)
    rounded = layer.scaling["one"] * 4 * 48
    assert abs(rounded - exact) > 2**-8 * exact


@torch.inference_mode()
def test_on_off_and_another() -> None:
    plain, packed, x = adapted("one", "two", pack=False), adapted("one", "two"), inputs(9, 48)
    for name in ("one", "two", "one"):
        plain.set_adapter(name)
        packed.set_adapter(name)
        assert near(packed(x), plain(x))
    packed.base_model.disable_adapter_layers()
    bare = Two().bfloat16().eval()
    bare.load_state_dict(
        {
            "up.weight": plain.base_model.model.up.base_layer.weight,
            "up.bias": plain.base_model.model.up.base_layer.bias,
            "down.weight": plain.base_model.model.down.base_layer.weight,
        }
    )
    assert near(packed(x), bare(x))
    packed.base_model.enable_adapter_layers()
    assert near(packed(x), plain(x))


@torch.inference_mode()
def test_adapters_by_row_go_the_plain_way() -> None:
    plain, packed, x = adapted("one", "two", pack=False), adapted("one", "two"), inputs(3, 48)
    names = ["one", "__base__", "two"]
    assert torch.equal(packed(x, adapter_names=names), plain(x, adapter_names=names))


def test_gradients_and_other_types_go_the_plain_way() -> None:
    packed = adapted("one")
    x = torch.randn(2, 48).bfloat16().requires_grad_()
    packed(x).sum().backward()
    assert x.grad is not None
    assert packed.base_model.model.up.lora_A["one"].weight.grad is not None


@torch.inference_mode()
def test_a_layer_that_peft_computes_otherwise_stays() -> None:
    dora = adapted("one", pack=False, use_dora=True)
    assert packed_adapters.pack(dora, "one") == 0
    biased = adapted("one", pack=False, lora_bias=True)
    assert packed_adapters.pack(biased, "one") == 0
    assert packed_adapters.pack(adapted("one", pack=False), "other") == 0


@torch.inference_mode()
def test_a_base_that_is_not_packed_stays() -> None:
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, target_modules=["up", "down"], init_lora_weights=False)
    made = peft.get_peft_model(Two().bfloat16().eval(), config)
    assert packed_adapters.pack(made, "default") == 0


@torch.inference_mode()
def test_a_product_that_differs_is_not_used() -> None:
    made = adapted("one", pack=False)
    made.base_model.model.up.lora_A["one"].weight[2, 2] = float("nan")
    assert packed_adapters.pack(made, "one") == 1
