from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness import models, sources
from harness.engines.local import LocalEngine
from harness.errors import PreflightError
from harness.training import preflights
from harness.training.qlora import CARD, adapter_fingerprint, train
from harness.training.rows import IGNORE, Example, build_rows
from harness.types import LoraRecipe, Request

pytestmark = pytest.mark.model

RECIPE = LoraRecipe(
    lora_r=4,
    learning_rate=3e-3,
    max_steps=6,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=1,
    max_length=64,
    warmup_ratio=0.0,
)


@pytest.fixture(scope="module")
def engine(smollm2: Path) -> LocalEngine:
    return LocalEngine(smollm2, "nf4", weights_sha256=sources.weights_sha256(smollm2), device="cpu")


@pytest.fixture(scope="module")
def examples(engine: LocalEngine) -> list[Example]:
    prompts = engine.prompts([[{"role": "user", "content": f"Number {i}?"}] for i in range(8)])
    return [Example(f"row-{i}", p, "banana") for i, p in enumerate(prompts)]


def train_here(engine: LocalEngine, examples: list[Example], out: Path, recipe: LoraRecipe) -> dict:  # type: ignore[type-arg]
    identity = dict(engine.identity)
    return train(recipe, examples, base=engine.folder, identity=identity, out=out, device="cpu")


def test_a_trained_adapter_changes_the_answers(
    engine: LocalEngine, examples: list[Example], tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    card = train_here(engine, examples, out, RECIPE)
    assert card["steps"] == 6
    assert card["preflights"]["gradient_error_after_evaluation"] == 0
    assert card["loss"][-1][1] < card["loss"][0][1]
    proof = engine.prove(str(out))
    assert proof["base_matches"] is True
    assert proof["template_matches"] is True
    requests = [Request("0", examples[0].prompt, str(out), max_new_tokens=4)]
    assert "banana" in (next(iter(engine.complete(requests))).text or "")


def test_a_killed_training_continues_to_the_same_weights(
    engine: LocalEngine, examples: list[Example], tmp_path: Path
) -> None:
    from harness.engines.adapters import adapter_sha256

    def stop_at_four(step: int, steps: int, loss: float | None) -> None:
        if step == 4:
            raise KeyboardInterrupt

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_here(engine, examples, whole, RECIPE)
    with pytest.raises(KeyboardInterrupt):
        train(
            RECIPE,
            examples,
            base=engine.folder,
            identity=dict(engine.identity),
            out=cut,
            device="cpu",
            progress=stop_at_four,
        )
    assert not (cut / CARD).exists()
    card = train_here(engine, examples, cut, RECIPE)
    assert card["resumed_at_step"] >= 1
    assert [step for step, _ in card["loss"]] == [1, 2, 3, 4, 5, 6]
    assert adapter_sha256(cut) == adapter_sha256(whole)


def test_labels_are_the_answer_and_its_end_token(
    engine: LocalEngine, examples: list[Example], smollm2: Path
) -> None:
    ends = models.end_tokens(smollm2, engine.tokenizer)
    row = build_rows(examples[:1], engine.tokenizer, ends, 64)[0]
    answer = [t for t in row.labels if t != IGNORE]
    assert engine.tokenizer.decode(answer[:-1]) == "banana"
    assert answer[-1] in ends
    prompt = examples[0].prompt.tokens or ()
    assert row.input_ids[: len(prompt)] == prompt


def test_a_row_that_is_too_long_stops_the_run(
    engine: LocalEngine, examples: list[Example], tmp_path: Path
) -> None:
    long = replace(examples[0], id="the long one", completion="word " * 100)
    with pytest.raises(PreflightError, match="the long one"):
        train_here(engine, [*examples, long], tmp_path / "a", RECIPE)
    assert not (tmp_path / "a").exists()


def test_a_model_whose_answers_never_end_is_refused(
    engine: LocalEngine, examples: list[Example]
) -> None:
    with pytest.raises(PreflightError, match="end token"):
        build_rows(examples, engine.tokenizer, frozenset(), 64)


def test_gradient_parity_catches_weights_that_change_in_an_evaluation(
    engine: LocalEngine, examples: list[Example], smollm2: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    base = models.load_base(smollm2, "fp32", "cpu")
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"]))
    rows = build_rows(
        examples[:2], engine.tokenizer, models.end_tokens(smollm2, engine.tokenizer), 64
    )
    batch = preflights.tensors(rows, 0, "cpu")
    assert preflights.gradient_parity(model, batch) == 0

    def repack(module: torch.nn.Module, inputs: object) -> None:
        if not torch.is_grad_enabled():
            module.weight.data.mul_(1.5)  # type: ignore[operator]

    model.base_model.model.model.layers[3].mlp.down_proj.register_forward_pre_hook(repack)
    with pytest.raises(PreflightError, match="differ"):
        preflights.gradient_parity(model, batch)


def test_other_ingredients_make_another_adapter(
    engine: LocalEngine, examples: list[Example]
) -> None:
    identity = dict(engine.identity)
    names = {
        adapter_fingerprint(RECIPE, examples, identity=identity),
        adapter_fingerprint(replace(RECIPE, lora_r=8), examples, identity=identity),
        adapter_fingerprint(RECIPE, examples[1:], identity=identity),
        adapter_fingerprint(RECIPE, examples, identity={**identity, "weights_sha256": "x"}),
    }
    assert len(names) == 4
    again = adapter_fingerprint(RECIPE, list(examples), identity=dict(identity))
    assert again in names


def test_a_loss_that_is_not_a_number_stops_the_training(
    engine: LocalEngine, examples: list[Example], tmp_path: Path
) -> None:
    # So large a rate throws the weights out of range within a step or two.
    recipe = replace(RECIPE, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(PreflightError, match="learning_rate"):
        train_here(engine, examples, tmp_path / "a", recipe)
    assert not (tmp_path / "a").exists()


def test_the_card_is_bound_to_the_weights(
    engine: LocalEngine, examples: list[Example], tmp_path: Path
) -> None:
    from harness.engines.adapters import adapter_sha256, read_card

    out = tmp_path / "adapter"
    train_here(engine, examples, out, replace(RECIPE, max_steps=1))
    assert read_card(out)["adapter_sha256"] == adapter_sha256(out)
