"""Packed layers compute what the plain ones do, and take no more memory than they may."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness.engines import packing  # noqa: E402
from harness.engines.worn import Worn  # noqa: E402
from harness.errors import PreflightError  # noqa: E402

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no oneDNN"
)


def model(dtype: Any = torch.bfloat16) -> Any:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(48, 96), torch.nn.Linear(96, 48, bias=False), torch.nn.GELU()]
    return torch.nn.Sequential(*layers).to(dtype).eval()


@pytest.mark.parametrize("shape", [(1, 48), (5, 48), (3, 7, 48), (130, 48)])
def test_values_are_those_of_the_plain_layers(shape: tuple[int, ...]) -> None:
    plain, packed = model(), model()
    assert packing.pack(packed, 1 << 30) == 2
    x = torch.randn(shape, dtype=torch.bfloat16)
    with torch.inference_mode():
        torch.testing.assert_close(packed(x), plain(x), rtol=2**-6, atol=2**-7)
    assert packed[0].forward is not type(packed[0]).forward


def test_gradients_and_other_types_go_the_plain_way() -> None:
    packed = model()
    packing.pack(packed, 1 << 30)
    x = torch.randn(2, 48, dtype=torch.bfloat16, requires_grad=True)
    packed(x).sum().backward()
    assert x.grad is not None
    assert packed[0].weight.grad is not None


@torch.inference_mode()
def test_other_weights_than_were_packed_count() -> None:
    """A copy that PEFT trains whole, weights that an initialisation puts in, weights written."""
    x = torch.randn(2, 48, dtype=torch.bfloat16)
    with torch.inference_mode(False):
        packed = model()
        packing.pack(packed, 1 << 30)
        copied, put, written = (copy.deepcopy(packed[0]), model()[0], model()[0])
        packing.pack(torch.nn.Sequential(put), 1 << 30)
        packing.pack(torch.nn.Sequential(written), 1 << 30)
        copied.weight.data += 1
        put.weight.data = put.weight.data + 1
        with torch.no_grad():
            written.weight.add_(1)
    for layer in (copied, put, written):
        wanted = torch.nn.functional.linear(x, layer.weight, layer.bias)
        torch.testing.assert_close(layer(x), wanted, rtol=2**-6, atol=2**-6)
        assert float((layer(x) - packed[0](x)).abs().max()) > 1


def test_what_does_not_fit_or_is_no_bfloat16_stays() -> None:
    assert packing.pack(model(), 48 * 96 * 2) == 1
    assert packing.pack(model(), 0) == 0
    assert packing.pack(model(torch.float32), 1 << 30) == 0


def test_a_product_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    with torch.no_grad():
        made[0].weight[3, 3] = float("nan")
    assert packing.pack(made, 1 << 30) == 1, "a layer that cannot be compared stays plain"


def test_a_4_bit_layer_gives_its_own_values() -> None:
    bnb = pytest.importorskip("bitsandbytes", reason="the extra 'local' is not installed")

    def quantised() -> Any:
        torch.manual_seed(0)
        layer = bnb.nn.Linear4bit(
            128, 64, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4"
        )
        layer.support_avx512bf16_for_cpu = False
        return torch.nn.Sequential(layer).to("cpu").eval()

    plain, packed = quantised(), quantised()
    x = torch.randn(9, 128, dtype=torch.bfloat16)
    with torch.inference_mode():
        wanted = plain(x)
        packed(x)
        assert packing.pack(packed, 1 << 30) == 1
        torch.testing.assert_close(packed(x), wanted, rtol=2**-6, atol=2**-7)


def language_model() -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.2,
    )
    return transformers.LlamaForCausalLM(config).bfloat16().eval()


def trained(folder: Path, **options: Any) -> str:
    peft = pytest.importorskip("peft", reason="the extra 'local' is not installed")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, **options)
    made = peft.get_peft_model(language_model(), config)
    for name, weight in made.named_parameters():
        if "modules_to_save" in name or "lora_B" in name:
            weight.data += 0.3 * torch.randn_like(weight)
    made.save_pretrained(str(folder))
    return str(folder)


def test_layers_that_an_adapter_trains_whole_are_the_adapters(tmp_path: Path) -> None:
    folder = trained(tmp_path, target_modules=["q_proj"], modules_to_save=["down_proj"])
    found = []
    for pack in (False, True):
        model = language_model()
        assert not pack or packing.pack(model, 1 << 30)
        worn = Worn(model, range(3, 20))
        found.append(worn.logits([worn.name(folder)]))
    bare = worn.logits([None])
    assert float((found[1] - found[0]).abs().max()) < 0.1 < float((found[0] - bare).abs().max())


def test_an_adapter_that_rewrites_the_base_is_refused_all_the_same(tmp_path: Path) -> None:
    folder = trained(tmp_path, target_modules=["q_proj"], init_lora_weights="pissa")
    model = language_model()
    packing.pack(model, 1 << 30)
    with pytest.raises(PreflightError, match="changed the base itself"):
        Worn(model, range(3, 20)).name(folder)
