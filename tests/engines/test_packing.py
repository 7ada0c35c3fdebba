"""Packed layers compute what the plain ones do, and take no more memory than they may."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness.engines import packing  # noqa: E402

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
