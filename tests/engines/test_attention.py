"""Attention of our own gives what torch's does, whatever a row may see."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")
transformers = pytest.importorskip("transformers", reason="the extra 'local' is not installed")

from harness.engines import attention  # noqa: E402

SIZE = 32


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor where many queries gain."""
    monkeypatch.setattr(attention, "_gains", lambda: True)


class Causal(torch.nn.Module):
    is_causal = True
    num_key_value_groups = 3


def parts(queries: int, keys: int, *, rows: int = 4, sharp: float = 1.0) -> tuple[Any, Any, Any]:
    draw = torch.Generator().manual_seed(queries + keys)
    shapes = ((6, queries), (2, keys), (2, keys))
    query, key, value = (
        torch.randn((rows, heads, length, SIZE), generator=draw).bfloat16()
        for heads, length in shapes
    )
    return query * sharp, key, value


def mask(queries: int, keys: int, *, rows: int = 4) -> Any:
    """Causal, and of row i the first 3 i keys are padding."""
    causal = torch.ones((queries, keys), dtype=torch.bool).tril(keys - queries)
    padding = torch.arange(keys)[None] >= 3 * torch.arange(rows)[:, None]
    return (causal[None] & padding[:, None])[:, None]


def truth(query: Any, key: Any, value: Any, seen: Any) -> Any:
    """The definition (Vaswani et al. 2017, section 3.2.1), in fp64."""
    key, value = (x.double().repeat_interleave(3, 1) for x in (key, value))
    scores = query.double() @ key.transpose(2, 3) / SIZE**0.5
    weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    return (weights @ value).transpose(1, 2)


def attended(query: Any, key: Any, value: Any, seen: Any, **more: Any) -> Any:
    with torch.inference_mode():
        return attention.attend(Causal(), query, key, value, seen, **more)[0]


@pytest.mark.parametrize("sharp", [1.0, 6.0])
@pytest.mark.parametrize(("queries", "keys"), [(50, 50), (64, 64), (150, 150), (7, 90), (1, 40)])
def test_values_are_those_of_the_definition(queries: int, keys: int, sharp: float) -> None:
    query, key, value = parts(queries, keys, sharp=sharp)
    seen = mask(queries, keys)
    ours, exact = attended(query, key, value, seen), truth(query, key, value, seen)
    real = seen.any(-1)[:, 0]  # what only padding sees, nobody reads
    torch.testing.assert_close(ours.double()[real], exact[real], rtol=2**-6, atol=2**-6)
    assert bool(ours.isfinite().all())


@pytest.mark.parametrize(("queries", "keys"), [(90, 90), (1, 40)])
def test_without_a_mask_it_is_causal(queries: int, keys: int) -> None:
    query, key, value = parts(queries, keys)
    seen = torch.ones((queries, keys), dtype=torch.bool).tril(keys - queries)[None, None]
    exact = truth(query, key, value, seen)
    found = attended(query, key, value, None).double()
    torch.testing.assert_close(found, exact, rtol=2**-6, atol=2**-6)


def test_scores_are_not_rounded() -> None:
    """Two keys whose scores, about 100, differ by less than bfloat16 can tell at that size."""
    query = torch.full((1, 6, 3, SIZE), 4.0).bfloat16()
    key = torch.full((1, 2, 3, SIZE), 4.5).bfloat16()
    key[:, :, 1, 0] += 0.0625
    value = torch.zeros((1, 2, 3, SIZE)).bfloat16()
    value[:, :, 1] = 1.0
    scores = (query[0, 0, 0].double() @ key[0, 0].double().T) / SIZE**0.5
    wanted = scores.softmax(-1)[1]
    assert wanted - 1 / 3 > 0.008
    seen = torch.ones((1, 1, 3, 3), dtype=torch.bool)
    seen[..., :2, 2:] = False
    found = attended(query, key, value, seen)[0, 2, 0, 0]
    assert float(found) == pytest.approx(float(wanted), abs=0.003)


def test_what_it_does_not_know_goes_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = parts(20, 20)
    seen = mask(20, 20)
    asked = []
    theirs = attention.sdpa_attention_forward
    monkeypatch.setattr(
        attention, "sdpa_attention_forward", lambda *a, **k: asked.append(k) or theirs(*a, **k)
    )
    attended(query, key, value, seen)
    assert not asked
    attended(query.float(), key.float(), value.float(), seen)
    attended(query, key, value, seen, position_bias=torch.zeros(1, 6, 20, 20).bfloat16())
    attended(query, key, value, seen.expand(-1, 6, -1, -1))
    attended(query, key, value, torch.zeros(seen.shape).bfloat16())
    attention.attend(Causal(), query, key, value, seen)  # with gradients
    assert len(asked) == 5
    monkeypatch.setattr(attention, "_gains", lambda: False)
    attended(query, key, value, seen)
    attended(query[:, :, :1], key, value, seen[:, :, -1:])
    assert len(asked) == 6


def model(dtype: Any = torch.bfloat16) -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=96,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    return transformers.LlamaForCausalLM(config).to(dtype).eval()


PROBE = list(range(3, 43))


def test_a_model_answers_as_before() -> None:
    ids = torch.randint(3, 97, (5, 100), generator=torch.Generator().manual_seed(1))
    seen = torch.ones_like(ids)
    seen[1, :30] = 0
    plain, ours = model(), model()
    assert attention.install(ours, PROBE)
    with torch.inference_mode():
        before, after = (
            m(input_ids=ids, attention_mask=seen).logits.float() for m in (plain, ours)
        )
    read = seen.bool()
    assert float((after - before)[read].abs().mean()) < 0.02 * float(before[read].abs().mean())
    assert ours.config._attn_implementation == attention.NAME


def test_it_stays_out_where_it_does_not_belong(able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not attention.install(model(torch.float32), PROBE)
    eager = model()
    eager.set_attn_implementation("eager")
    assert not attention.install(eager, PROBE)
    monkeypatch.setattr(attention, "_scores", lambda query, key: torch.bmm(key.mT, query.mT).mT * 3)
    wrong = model()
    assert not attention.install(wrong, PROBE)
    assert wrong.config._attn_implementation == "sdpa"


def test_models_of_several_parts_and_older_torch_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    several = model()
    several.config.get_text_config = lambda decoder: transformers.LlamaConfig()
    assert not attention.install(several, PROBE)
    fixed = model()
    fixed._can_set_attn_implementation = lambda: False
    assert not attention.install(fixed, PROBE)
    monkeypatch.undo()
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    attention._gains.cache_clear()
    try:
        assert attention.install(model(), PROBE)
        assert not attention._gains()
    finally:
        attention._gains.cache_clear()
