from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness import sources
from harness.engines import adapters, decoding
from harness.engines.local import LocalEngine
from harness.errors import PreflightError, SourceError, SuiteError, UsageError
from harness.types import Completion, Message, Request

pytestmark = pytest.mark.model

QUESTIONS = ["What is 2+2?", "Name a colour.", "Say hello in French, then in Spanish, please."]


def talk(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def engine_at(folder: Path, precision: str, **options: int) -> LocalEngine:
    weights = sources.weights_sha256(folder)
    return LocalEngine(folder, precision, weights_sha256=weights, device="cpu", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine(smollm2: Path) -> LocalEngine:
    return engine_at(smollm2, "fp32")


@pytest.fixture(scope="module")
def adapter(lora: Path) -> Path:
    return lora


def ask(
    engine: LocalEngine, adapter: Path | None = None, *, n: int = 6, **options: float
) -> dict[str, Completion]:
    prompts = engine.prompts([talk(q) for q in QUESTIONS])
    folder = str(adapter) if adapter else None
    requests = [
        Request(str(i), p, folder, max_new_tokens=n, **options)  # type: ignore[arg-type]
        for i, p in enumerate(prompts)
    ]
    return {c.key: c for c in engine.complete(requests)}


def test_greedy_text_is_that_of_plain_generate(engine: LocalEngine, smollm2: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    got = ask(engine)
    for i, question in enumerate(QUESTIONS):
        ids = tokenizer.apply_chat_template(
            talk(question), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = model.generate(**ids, max_new_tokens=6, do_sample=False)
        new = out[0, ids["input_ids"].shape[1] :]
        assert got[str(i)].text == tokenizer.decode(new, skip_special_tokens=True)
        assert got[str(i)].tokens_in == ids["input_ids"].shape[1]


def test_answers_do_not_depend_on_the_batch(engine: LocalEngine, smollm2: Path) -> None:
    alone = engine_at(smollm2, "fp32", max_rows=1)
    for options in ({}, {"temperature": 0.9, "top_p": 0.9, "seed": 3}):
        assert {k: c.text for k, c in ask(engine, **options).items()} == {
            k: c.text for k, c in ask(alone, **options).items()
        }


def test_another_seed_samples_another_text(engine: LocalEngine) -> None:
    one, two = (ask(engine, temperature=1.5, seed=s, n=12) for s in (1, 2))
    assert [c.text for c in one.values()] != [c.text for c in two.values()]


def test_an_answer_that_ends_says_so(engine: LocalEngine) -> None:
    short, long = ask(engine, n=2)["0"], ask(engine, n=40)["0"]
    assert (short.finish_reason, short.tokens_out) == ("length", 2)
    assert long.finish_reason == "stop"
    assert long.tokens_out < 40


def test_a_prompt_beyond_the_context_is_an_error_and_is_not_cut(engine: LocalEngine) -> None:
    prompt = engine.prompts([talk("word " * 9000)])[0]
    (answer,) = engine.complete([Request("long", prompt)])
    assert answer.text is None
    assert answer.finish_reason == "error"
    assert "8192" in (answer.error or "")


def test_the_adapter_goes_on_and_off(engine: LocalEngine, adapter: Path) -> None:
    before = ask(engine)
    changed = ask(engine, adapter)
    after = ask(engine)
    assert [c.text for c in changed.values()] != [c.text for c in before.values()]
    assert [c.text for c in after.values()] == [c.text for c in before.values()]


def test_proof_names_the_weights_and_the_change(engine: LocalEngine, adapter: Path) -> None:
    proof = engine.prove(str(adapter))
    assert proof["adapter_sha256"] == adapters.adapter_sha256(adapter)
    assert proof["base_sha256"] == engine.identity["weights_sha256"]
    assert proof["max_logit_change"] > 0
    assert proof["base_matches"] is None, "trained elsewhere: its base is not known"


def test_an_adapter_that_changes_nothing_is_refused(
    engine: LocalEngine, adapter: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    still = tmp_path / "still"
    shutil.copytree(adapter, still)
    file = still / adapters.WEIGHTS
    save_file({k: v * (0 if "lora_B" in k else 1) for k, v in load_file(file).items()}, file)
    with pytest.raises(PreflightError, match="changes nothing"):
        engine.prove(str(still))


def test_an_adapter_with_a_missing_tensor_is_refused(
    engine: LocalEngine, adapter: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    torn = tmp_path / "torn"
    shutil.copytree(adapter, torn)
    tensors = load_file(torn / adapters.WEIGHTS)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, torn / adapters.WEIGHTS)
    with pytest.raises(PreflightError, match="not applied whole"):
        engine.prove(str(torn))


@pytest.mark.parametrize("key", ["base_sha256", "template_sha256"])
def test_an_adapter_of_another_base_or_template_is_refused(
    engine: LocalEngine, adapter: Path, tmp_path: Path, key: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(adapter, other)
    (other / adapters.CARD).write_text(json.dumps({key: "0" * 64}), "utf-8")
    with pytest.raises(PreflightError, match="trained with other"):
        engine.prove(str(other))


def test_pickled_adapters_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match="pickle"):
        adapters.adapter_sha256(tmp_path)


def test_an_adapter_whose_weights_are_not_its_cards_is_refused(
    engine: LocalEngine, adapter: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(adapter, other)
    (other / adapters.CARD).write_text(json.dumps({"adapter_sha256": "0" * 64}), "utf-8")
    with pytest.raises(PreflightError, match="not those"):
        engine.prove(str(other))


def test_an_adapter_that_changes_during_a_run_is_noticed(
    engine: LocalEngine, adapter: Path
) -> None:
    prompt = engine.prompts([talk("Hello")])[0]
    request = Request("0", prompt, str(adapter), "0" * 64)
    with pytest.raises(PreflightError, match="changed while the run"):
        list(engine.complete([request]))


def test_an_adapter_that_rewrites_the_base_is_refused(smollm2: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    from harness import models

    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, target_modules=["q_proj"], init_lora_weights="pissa"
    )
    model = get_peft_model(models.load_base(smollm2, "fp32", "cpu"), config)
    model.save_pretrained(str(tmp_path / "pissa"))
    with pytest.raises(PreflightError, match="changed the base"):
        engine_at(smollm2, "fp32").prove(str(tmp_path / "pissa"))


def test_two_adapters_on_one_base_keep_apart(
    engine: LocalEngine, adapter: Path, smollm2: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    stronger = tmp_path / "stronger"
    shutil.copytree(adapter, stronger)
    file = stronger / adapters.WEIGHTS
    save_file({k: -v if "lora_B" in k else v for k, v in load_file(file).items()}, file)
    one, two, again = ask(engine, adapter), ask(engine, stronger), ask(engine, adapter)
    alone = ask(engine_at(smollm2, "fp32"), stronger)
    assert [c.text for c in one.values()] == [c.text for c in again.values()]
    assert [c.text for c in two.values()] == [c.text for c in alone.values()]
    assert [c.text for c in one.values()] != [c.text for c in two.values()]


def test_a_batch_that_does_not_fit_is_split_and_nothing_is_lost(
    smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_at(smollm2, "fp32")
    sizes = []

    def small_memory(_: object, __: object, named: dict[str, Any]) -> None:
        sizes.append(len(named["input_ids"]))
        if sizes[-1] > 1:
            # The words of torch's CPU allocator; running out for real would stop the machine.
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    hook = engine._model.register_forward_pre_hook(small_memory, with_kwargs=True)
    wanted = ask(engine_at(smollm2, "fp32"), n=4)
    for supported in (True, False):
        monkeypatch.setattr(decoding, "supports", lambda model, yes=supported: yes)
        engine._max_tokens = 10_000
        found = ask(engine, n=4)
        assert {k: c.text for k, c in found.items()} == {k: c.text for k, c in wanted.items()}
        assert max(sizes) == 3
        sizes.clear()
    hook.remove()


def test_one_row_that_does_not_fit_says_so(smollm2: Path) -> None:
    engine = engine_at(smollm2, "fp32")

    def no_memory(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    engine._model.register_forward_pre_hook(no_memory)
    with pytest.raises(UsageError, match="single prompt"):
        ask(engine)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.9, "top_p": 0.9, "seed": 3}])
def test_a_model_that_is_left_to_generate_gives_the_same(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, options: dict[str, float]
) -> None:
    mine = ask(engine, n=20, **options)
    monkeypatch.setattr(decoding, "supports", lambda model: False)
    theirs = ask(engine, n=20, **options)
    for key, one in mine.items():
        other = theirs[key]
        assert (one.text, one.tokens_out, one.finish_reason) == (
            other.text,
            other.tokens_out,
            other.finish_reason,
        )


def test_answers_taken_in_turns_are_each_adapters_own(engine: LocalEngine, adapter: Path) -> None:
    prompts = engine.prompts([talk(q) for q in QUESTIONS])

    def asked(folder: str | None) -> Iterator[Completion]:
        requests = [Request(str(i), p, folder, max_new_tokens=30) for i, p in enumerate(prompts)]
        return engine.complete(requests)

    folders = (None, str(adapter))
    apart = [{c.key: c.text for c in asked(folder)} for folder in folders]
    turns: list[dict[str, str | None]] = [{}, {}]
    for both in itertools.zip_longest(*map(asked, folders)):
        for side, one in zip(turns, both, strict=True):
            if one is not None:
                side[one.key] = one.text
    assert turns == apart
    assert apart[0] != apart[1]


def test_weights_that_are_quantised_already_are_refused(smollm2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    shutil.copytree(smollm2, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    engine = engine_at(folder, "fp32")
    with pytest.raises(SourceError, match="quantised already"):
        ask(engine)


def test_weights_with_a_missing_tensor_are_refused(smollm2: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "torn"
    shutil.copytree(smollm2, folder)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors.pop("model.layers.3.mlp.up_proj.weight")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(SourceError, match="incomplete"):
        ask(engine_at(folder, "fp32"))


def test_a_model_without_a_chat_template_is_refused(smollm2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(smollm2, folder)
    (folder / "chat_template.jinja").unlink()
    engine = engine_at(folder, "fp32")
    with pytest.raises(SuiteError, match="chat template"):
        engine.prompts([talk("Hello")])


def test_a_template_without_system_prompts_says_so(smollm2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(smollm2, folder)
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ raise_exception('no system role') }}{% endif %}{{ m['content'] }}{% endfor %}"
    )
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    engine = engine_at(folder, "fp32")
    with pytest.raises(SuiteError, match="no system role"):
        engine.prompts([[{"role": "system", "content": "Be brief."}, *talk("Hello")]])


def test_a_template_with_a_date_gives_the_same_prompt_tomorrow(
    smollm2: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dated"
    shutil.copytree(smollm2, folder)
    template = "{{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}"
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    (prompt,) = engine_at(folder, "fp32").prompts([talk("Hello")])
    assert prompt.text == "01 Jan 2025 Hello"


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "mps:"])
def test_a_device_that_is_none_is_named(device: str) -> None:
    from harness import models

    with pytest.raises(UsageError, match="device"):
        models.pick_device(device)


def test_nothing_is_reported_to_the_hub() -> None:
    code = (
        "from harness import models; models.require_torch(); import huggingface_hub.constants as c;"
        "print(c.HF_HUB_DISABLE_TELEMETRY)\n"
        "try:\n    import kernels\nexcept ImportError: print('no hub kernels')"
    )
    environment = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split("\n")[:2] == ["True", "no hub kernels"]
