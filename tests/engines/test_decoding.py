"""Rows that come and go give what each would give alone, whatever the architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")
transformers = pytest.importorskip("transformers", reason="the extra 'local' is not installed")

from harness.engines.decoding import decode, supports  # noqa: E402
from harness.engines.rows import Decoded, How, Prompt  # noqa: E402
from harness.engines.sampling import Sampler  # noqa: E402

SIZE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WHOLE = ["llama", "qwen2", "qwen3", "gemma", "olmo2", "phi3", "granite", "gpt_neox", "gpt2"]
"""Architectures that keep whole keys and values in every layer."""
OTHERS = ["gemma3_text", "mamba", "bloom"]
NEW = 30


def made(kind: str, **more: Any) -> Any:
    """A small model with random weights."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **{**SIZE, **more})
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


def prompts(n: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 40, (n,), generator=generator).tolist()
    return [torch.randint(3, 97, (k,), generator=generator).tolist() for k in lengths]


def answers(
    model: Any, given: Sequence[list[int]], ends: frozenset[int], rows: int, **sampling: float
) -> dict[int, Decoded]:
    made = [
        Prompt(i, tokens, NEW, Sampler(i, **sampling) if sampling else None)
        for i, tokens in enumerate(given)
    ]
    found = list(decode(model, made, How(ends, pad=0, rows=lambda width: rows)))
    assert sorted(one.index for one in found) == list(range(len(given))), "each once"
    return {one.index: one for one in found}


def by_generate(model: Any, tokens: list[int], ends: frozenset[int]) -> list[int]:
    ids = torch.tensor([tokens])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW,
        do_sample=False,
        eos_token_id=sorted(ends),
        pad_token_id=0,
    )
    new = out[0, len(tokens) :].tolist()
    return new[:-1] if new[-1] in ends else new


def often(model: Any, given: Sequence[list[int]]) -> frozenset[int]:
    """End tokens that random weights do choose: some answers are short and others are not."""
    some = (by_generate(model, tokens, frozenset({2})) for tokens in given[::3])
    return frozenset(tokens[min(3, len(tokens) - 1)] for tokens in some if tokens)


@pytest.mark.parametrize("kind", WHOLE)
def test_answers_are_those_of_generate_alone(kind: str) -> None:
    model = made(kind)
    assert supports(model)
    given = prompts(14)
    ends = often(model, given)
    wanted = [by_generate(model, tokens, ends) for tokens in given]
    assert len({len(tokens) for tokens in wanted}) > 1, "answers of several lengths"
    for rows in (1, 4, 14):
        found = answers(model, given, ends, rows)
        assert [found[i].tokens for i in range(14)] == wanted
        assert all(found[i].ended == (len(wanted[i]) < NEW) for i in range(14))
        assert all(one.seconds > 0 for one in found.values())


@pytest.mark.parametrize("kind", OTHERS)
def test_models_that_keep_something_else_are_left_to_generate(kind: str) -> None:
    assert not supports(made(kind))
    assert not supports(made("mistral", sliding_window=4))
    assert supports(made("mistral", sliding_window=None))


def test_sampled_answers_do_not_depend_on_the_rows_beside() -> None:
    model, given = made("llama"), prompts(10)
    ends = frozenset(range(2, 12))
    alone = answers(model, given, ends, 1, temperature=1.0, top_p=0.9)
    together = answers(model, given, ends, 3, temperature=1.0, top_p=0.9)
    assert {i: one.tokens for i, one in alone.items()} == {
        i: one.tokens for i, one in together.items()
    }
    assert len({len(one.tokens) for one in alone.values()}) > 2


def test_rows_that_ended_make_room_and_never_more_than_allowed() -> None:
    model, given = made("llama"), prompts(24)
    ends = often(model, given)
    sizes: list[int] = []
    model.register_forward_pre_hook(
        lambda _, __, named: sizes.append(len(named["input_ids"])), with_kwargs=True
    )
    found = answers(model, given, ends, 4)
    assert max(sizes) <= 4
    passes = [len(one.tokens) + one.ended for _, one in sorted(found.items())]
    waiting = sum(max(passes[i : i + 4]) for i in range(0, 24, 4))
    assert len(sizes) < 0.8 * waiting, "batches of four would wait for their longest"


def test_the_bound_is_asked_for_the_rows_that_are_there() -> None:
    model, given = made("llama"), prompts(12)
    given.sort(key=len, reverse=True)
    asked: list[tuple[int, int]] = []
    sizes: list[tuple[int, int]] = []

    def rows(width: int) -> int:
        asked.append((width, max(1, 200 // width)))
        return 200 // width

    def seen(_: Any, __: Any, named: Any) -> None:
        sizes.append((len(named["input_ids"]), named["attention_mask"].shape[1]))

    model.register_forward_pre_hook(seen, with_kwargs=True)
    made_prompts = [Prompt(i, tokens, NEW) for i, tokens in enumerate(given)]
    found = list(decode(model, made_prompts, How(frozenset(), pad=0, rows=rows)))
    assert len(found) == 12
    assert all(len(one.tokens) == NEW and not one.ended for one in found)
    assert all(n * width <= 200 or n == 1 for n, width in sizes)
    assert max(n for n, _ in sizes) > min(n for n, _ in sizes)
