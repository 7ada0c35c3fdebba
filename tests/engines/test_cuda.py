"""The job on a CUDA device: run with ``pytest -m gpu`` where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

import torch

from harness import sources
from harness.engines.local import LocalEngine
from harness.training.qlora import train
from harness.training.rows import Example
from harness.types import LoraRecipe, Precision, Request

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.model,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

QUESTIONS = [f"Number {i}?" for i in range(8)]


def engine_at(folder: Path, precision: Precision) -> LocalEngine:
    weights = sources.weights_sha256(folder)
    return LocalEngine(folder, precision, weights_sha256=weights, device="cuda")


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "nf4"])
def test_every_precision_answers(smollm2: Path, precision: Precision) -> None:
    engine = engine_at(smollm2, precision)
    prompts = engine.prompts([[{"role": "user", "content": q}] for q in QUESTIONS])
    requests = [Request(str(i), p, max_new_tokens=8) for i, p in enumerate(prompts)]
    answers = list(engine.complete(requests))
    assert {a.key for a in answers} == {r.key for r in requests}
    assert all(a.text for a in answers)


def test_an_adapter_is_trained_and_applied(smollm2: Path, tmp_path: Path) -> None:
    engine = engine_at(smollm2, "nf4")
    prompts = engine.prompts([[{"role": "user", "content": q}] for q in QUESTIONS])
    examples = [Example(str(i), p, "banana") for i, p in enumerate(prompts)]
    recipe = LoraRecipe(
        lora_r=4,
        learning_rate=3e-3,
        max_steps=8,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
        max_length=64,
        warmup_ratio=0.0,
    )
    out = tmp_path / "adapter"
    card = train(
        recipe,
        examples,
        base=smollm2,
        identity=dict(engine.identity),
        out=out,
        device="cuda",
    )
    assert card["loss"][-1][1] < card["loss"][0][1]
    assert engine.prove(str(out))["max_logit_change"] > 0
    (answer,) = engine.complete([Request("0", prompts[0], str(out), max_new_tokens=4)])
    assert "banana" in (answer.text or "")
