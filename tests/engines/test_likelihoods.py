"""Likelihoods of targets, held against plain transformers one prompt at a time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness import sources
from harness.engines import forcing
from harness.engines.local import LocalEngine
from harness.types import Forced, Likelihood

pytestmark = pytest.mark.model

CASES = [
    ("What is 2+2?", "4"),
    ("Name a colour.", "Blue, like the sky."),
    ("Say hello in French, then in Spanish, please.", "Bonjour! ¡Hola! 日本語 🙂"),
    ("Repeat: yes", " \n"),
    ("Name a colour.", "Blue, like the sky, and not only there. " * 6),
]


@pytest.fixture(scope="module")
def engine(smollm2: Path) -> LocalEngine:
    return engine_at(smollm2)


def engine_at(folder: Path, **options: int) -> LocalEngine:
    weights = sources.weights_sha256(folder)
    return LocalEngine(folder, "fp32", weights_sha256=weights, device="cpu", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def adapter(lora: Path) -> Path:
    return lora


def ask(engine: LocalEngine, adapter: Path | None = None) -> list[Likelihood]:
    prompts = engine.prompts([[{"role": "user", "content": q}] for q, _ in CASES])
    folder = str(adapter) if adapter else None
    requests = [
        Forced(str(i), prompt, target, folder)
        for i, (prompt, (_, target)) in enumerate(zip(prompts, CASES, strict=True))
    ]
    found = {likelihood.key: likelihood for likelihood in engine.likelihoods(requests)}
    return [found[r.key] for r in requests]


def reference(folder: Path, adapter: Path | None) -> list[tuple[float, float, int]]:
    """Log-likelihood of target and of end token, and the target's tokens, of every case."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    found = []
    for question, target in CASES:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        own = tokenizer(target, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*before, *own, tokenizer.eos_token_id]])
        with torch.no_grad():
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
        each = [logs[i - 1, ids[0, i]].item() for i in range(len(before), ids.shape[1])]
        found.append((sum(each[:-1]), each[-1], len(own)))
    return found


@pytest.mark.parametrize("with_adapter", [False, True])
def test_likelihoods_are_those_of_plain_transformers(
    engine: LocalEngine, smollm2: Path, adapter: Path, with_adapter: bool
) -> None:
    used = adapter if with_adapter else None
    for got, (total, end, tokens), (_, target) in zip(
        ask(engine, used), reference(smollm2, used), CASES, strict=True
    ):
        assert got.error is None
        assert got.log_likelihood == pytest.approx(total, rel=1e-4, abs=1e-4)
        assert got.end_log_likelihood == pytest.approx(end, rel=1e-4, abs=1e-4)
        assert (got.tokens, got.bytes) == (tokens, len(target.encode()))


def test_likelihoods_do_not_depend_on_the_batch(engine: LocalEngine, smollm2: Path) -> None:
    alone = ask(engine_at(smollm2, max_rows=1))
    for one, other in zip(ask(engine), alone, strict=True):
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


def test_only_the_logits_of_targets_are_built(engine: LocalEngine) -> None:
    engine.likelihoods([])
    ask(engine)
    places: list[int] = []
    head = engine._model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, __, out: places.append(out.shape[:-1].numel()))
    try:
        found = ask(engine)
    finally:
        hook.remove()
    assert sum(places) == sum(one.tokens + 1 for one in found)


def test_what_cannot_be_measured_says_why(engine: LocalEngine) -> None:
    (prompt,) = engine.prompts([[{"role": "user", "content": "Hello"}]])
    requests = [
        Forced("empty", prompt, ""),
        Forced("marked", prompt, "a<|im_end|>b"),
        Forced("long", prompt, "word " * 9000),
    ]
    found = {one.key: one for one in engine.likelihoods(requests)}
    assert found["empty"].tokens == 0
    assert found["empty"].error is None
    assert "ends the turn" in (found["marked"].error or "")
    assert "8192" in (found["long"].error or "")
    assert found["long"].log_likelihood is None


def test_a_batch_that_does_not_fit_is_split_and_nothing_is_lost(
    smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_at(smollm2)
    whole, sizes = forcing.measure, []

    def small_memory(model, batch, *rest):
        sizes.append(len(batch))
        if len(batch) > 2:
            # The words of torch's CPU allocator; running out for real would stop the machine.
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return whole(model, batch, *rest)

    monkeypatch.setattr(forcing, "measure", small_memory)
    assert all(math.isfinite(one.log_likelihood or math.nan) for one in ask(engine))
    assert max(sizes) > 2
