"""Rows that share a beginning or stand beside other adapters answer as they would alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")
transformers = pytest.importorskip("transformers", reason="the extra 'local' is not installed")
peft = pytest.importorskip("peft", reason="the extra 'local' is not installed")

from harness.engines.decoding import decode  # noqa: E402
from harness.engines.rows import How, Prompt  # noqa: E402
from harness.engines.worn import Worn  # noqa: E402
from harness.errors import PreflightError  # noqa: E402

CONFIG = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
NEW = 12
Names = tuple[str | None, ...]


def base() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**CONFIG)
    return transformers.LlamaForCausalLM(config).float().eval()


def adapter(folder: Path, seed: int, **options: Any) -> str:
    model = base()
    torch.manual_seed(seed)
    options = {"target_modules": "all-linear", "init_lora_weights": False, **options}
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, **options)
    peft.get_peft_model(model, config).save_pretrained(str(folder))
    return str(folder)


def prompts(n: int) -> list[list[int]]:
    """Half of them begin with one of two long beginnings."""
    draw = torch.Generator().manual_seed(5)

    def some(least: int, most: int) -> list[int]:
        length = int(torch.randint(least, most, (1,), generator=draw))
        return torch.randint(3, 97, (length,), generator=draw).tolist()

    begin = [some(30, 31), some(50, 51), [], []]
    return [[*begin[i % 4], *some(2, 25)] for i in range(n)]


def answers(
    worn: Worn, wanted: Sequence[tuple[list[int], str | None]], rows: int = 64, **options: Any
) -> list[list[int]]:
    made = [Prompt(i, tokens, NEW, None, name) for i, (tokens, name) in enumerate(wanted)]
    options = {"worth": 0, "wearing": worn.wearing, "mixes": worn.mixes, **options}
    how = How(frozenset({2}), 0, lambda width: rows, **options)
    found = {one.index: one.tokens for one in decode(worn.model, made, how)}
    return [found[i] for i in range(len(wanted))]


@pytest.fixture
def passes() -> list[Names]:
    return []


@pytest.fixture
def worn(tmp_path: Path, passes: list[Names]) -> Worn:
    """A base with two adapters, loaded; each pass is noted with its rows' adapters."""
    found = Worn(base(), [5, 6, 7])
    for seed in (1, 2):
        found.name(adapter(tmp_path / str(seed), seed))
    wearing = found.wearing

    @contextmanager
    def noted(names: Sequence[str | None]) -> Iterator[dict[str, Any]]:
        with wearing(names) as told:
            passes.append(tuple(names))
            yield told

    found.wearing = noted  # type: ignore[method-assign]
    return found


def test_rows_with_other_adapters_answer_as_alone(worn: Worn, passes: list[Names]) -> None:
    names = (None, "adapter_0", "adapter_1")
    wanted = [(tokens, name) for name in names for tokens in prompts(8)]
    alone = [answers(worn, [one], share=0)[0] for one in wanted]
    assert len({str(alone[i]) for i in (0, 8, 16)}) == 3, "the adapters do change the answers"
    passes.clear()
    assert answers(worn, wanted) == alone
    assert any(len(set(names)) == 3 for names in passes), "all three stood side by side"
    assert answers(worn, wanted, rows=5) == alone


def test_rows_in_two_lanes_answer_as_alone(
    worn: Worn, passes: list[Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (None, "adapter_0", "adapter_1")
    wanted = [(tokens, name) for name in names for tokens in prompts(16)]
    alone = [answers(worn, [one], share=0)[0] for one in wanted]
    passes.clear()
    seen: set[int] = set()
    for rows in (64, 5):
        begin = lambda: seen.add(threading.get_ident())  # noqa: E731
        assert answers(worn, wanted, rows=rows, lanes=2, begin=begin) == alone
    assert len(seen - {threading.get_ident()}) >= 2
    assert all(len(set(one)) == 1 for one in passes), "no pass keeps the other lane waiting"
    # Whoever holds an adapter on makes the other wait, as what is on is the model's.
    within: list[str | None] = []
    layers = type(worn.model.get_base_model().model.layers[0])
    plain = layers.forward

    def watched(self: Any, *args: Any, **named: Any) -> Any:
        on = worn.model.base_model.model.model.layers[0].self_attn.q_proj
        within.append(None if on.disable_adapters else on.active_adapters[0])
        return plain(self, *args, **named)

    monkeypatch.setattr(layers, "forward", watched)
    with worn.wearing(["adapter_1"]):
        other = threading.Thread(target=answers, args=(worn, wanted[:1]))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        assert not within
    other.join()
    assert set(within) == {None}


def test_a_shared_beginning_is_read_once_for_each_adapter(worn: Worn) -> None:
    wanted = [(tokens, name) for name in (None, "adapter_0") for tokens in prompts(12)]
    seen: list[torch.Tensor] = []
    hook = worn.model.get_base_model().register_forward_pre_hook(
        lambda _, __, named: seen.append(named["input_ids"]), with_kwargs=True
    )
    apart = answers(worn, wanted, share=0)
    whole = sum(ids.numel() for ids in seen if ids.shape[1] > 1)
    seen.clear()
    assert answers(worn, wanted) == apart
    beginnings = Counter(ids.shape[1] for ids in seen if ids.shape[0] == 1 and ids.shape[1] > 1)
    assert beginnings == {30: 2, 50: 2}, "two beginnings, once bare and once with the adapter"
    assert sum(ids.numel() for ids in seen if ids.shape[1] > 1) < 0.75 * whole
    # A few rows at a time: a beginning outlives the rows that joined first.
    assert answers(worn, wanted, rows=3) == apart
    hook.remove()


def test_adapters_that_peft_cannot_apply_by_row_wait_their_turn(tmp_path: Path) -> None:
    worn = Worn(base(), [5, 6, 7])
    plain = worn.name(adapter(tmp_path / "plain", 1))
    dora = worn.name(adapter(tmp_path / "dora", 2, use_dora=True))
    assert worn.mixes(plain)
    assert not worn.mixes(dora)
    wanted = [(tokens, name) for name in (None, plain, dora) for tokens in prompts(4)]
    alone = [answers(worn, [one], share=0)[0] for one in wanted]
    assert answers(worn, wanted) == alone


def test_an_adapter_that_is_not_applied_by_row_is_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a PEFT of another version ignored the names."""
    worn = Worn(base(), [5, 6, 7])
    name = worn.name(adapter(tmp_path / "one", 1))
    layer = peft.tuners.lora.layer.LoraLayer
    monkeypatch.setattr(layer, "_mixed_batch_forward", lambda self, x, *_, **__: self.base_layer(x))
    assert not worn.mixes(name)


def test_a_base_of_another_shape_is_refused(tmp_path: Path) -> None:
    wider = transformers.LlamaConfig(**CONFIG | {"hidden_size": 64})
    other = transformers.LlamaForCausalLM(wider)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    peft.get_peft_model(other, config).save_pretrained(str(tmp_path))
    with pytest.raises(PreflightError, match="does not fit"):
        Worn(base(), [5, 6, 7]).name(str(tmp_path))


def test_close_tokens_are_decided_by_a_pass_of_their_own(worn: Worn) -> None:
    """Whatever a batch's shape does to the logits: here they are shaken by more than it ever
    does, and answers stay those of each row alone."""
    wanted = [(tokens, name) for name in (None, "adapter_0") for tokens in prompts(12)]
    # Logits that lie close, as those of random weights do not.
    with torch.no_grad():
        worn.model.get_output_embeddings().weight *= 0.1
    asked = 0

    def exact(tokens: Sequence[int], name: str | None) -> Any:
        nonlocal asked
        asked += 1
        with worn.wearing([name]) as told:
            return worn.model(input_ids=torch.tensor([tokens]), **told).logits[0, -1]

    alone = [answers(worn, [one], share=0)[0] for one in wanted]
    draw = torch.Generator().manual_seed(0)

    def shaken(_: Any, inputs: Any, logits: Any) -> Any:
        if len(logits) == 1:
            return logits
        return logits + (torch.rand(logits.shape, generator=draw) - 0.5) * 4e-3

    hook = worn.model.get_output_embeddings().register_forward_hook(shaken)
    assert answers(worn, wanted) != alone, "without it the shaking shows"
    assert asked == 0
    assert answers(worn, wanted, exact=exact) == alone
    assert 0 < asked < 24 * NEW
    hook.remove()
