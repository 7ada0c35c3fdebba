"""The whole job against a real server: ``transformers serve`` with the small model.

It holds no adapters, so the adapter is served merged, under a name of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")
pytest.importorskip("openai", reason="the extra 'server' is not installed")
pytest.importorskip("fastapi", reason="transformers[serving] is not installed")

from real_servers import free_port, started
from served_suite import Harness, measured, served, write

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def adapter(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A PEFT adapter with random, non-zero weights, and the base with it merged in (fp32)."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer

    from harness import models

    torch.manual_seed(0)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False
    )
    model = get_peft_model(models.load_base(smollm2, "fp32", "cpu"), config)
    folder = tmp_path_factory.mktemp("adapters")
    model.save_pretrained(str(folder / "lora"))
    model.merge_and_unload().save_pretrained(str(folder / "merged"))
    AutoTokenizer.from_pretrained(smollm2).save_pretrained(str(folder / "merged"))
    return folder / "lora", folder / "merged"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    # Without its folder the list of models is an internal error.
    (folder / "hub").mkdir()
    tool = Path(sys.executable).with_name("transformers")
    command = [tool, "serve", "--port", str(port), "--host", "127.0.0.1"]
    command += ["--device", "cpu", "--dtype", "float32"]
    env = {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    with started(command, folder / "log", port=port, env=env) as address:
        yield address


def test_the_same_variants_here_and_there(
    url: str, smollm2: Path, adapter: tuple[Path, Path], tmp_path: Path, harness_cli: Harness
) -> None:
    lora, merged = adapter
    here = f'model = "{smollm2}"\nprecision = "fp32"\n'
    suite = write(
        tmp_path / "suite",
        {
            "base": here,
            "base_chat": served(url, str(smollm2)),
            "base_text": served(url, str(smollm2), tokenizer=smollm2),
            "tuned": f'{here}adapter = "{lora}"\n',
            "tuned_text": served(url, str(smollm2), tokenizer=smollm2, adapter=str(merged)),
        },
        tokens=6,
        n=2,
    )
    run, agreement = measured(suite, tmp_path / "run", harness_cli)
    for name, row in agreement.items():
        # fp32 on both sides, and the same tokens: the same texts.
        assert (name, row["n"], row["identical"]) == (name, 2, 2)
    assert set(agreement) == {"base_chat", "base_text", "tuned_text"}
    variants = run.manifest["variants"]
    assert variants["base_text"]["fingerprints"]["prompt_sent_as"] == "text"
    # The template here is the one there: the same prompts, token for token.
    template = variants["base"]["fingerprints"]["template_sha256"]
    assert variants["base_text"]["fingerprints"]["template_sha256"] == template
    proof = variants["tuned_text"]["proof"]
    assert proof["canary"]["texts_changed"] > proof["canary"]["texts_changed_by_asking_again"]
    assert proof["template"] == "rendered here"
    rows = {(r["variant"], r["sample_id"]): r for r in run.outputs.to_pylist()}
    assert rows["base_text", "s0"]["prompt"] == rows["base", "s0"]["prompt"]
    assert rows["base_chat", "s0"]["tokens_in"] == rows["base", "s0"]["tokens_in"]
    assert rows["tuned", "s0"]["output"] != rows["base", "s0"]["output"]


def test_an_adapter_under_a_name_that_is_the_base(
    url: str, smollm2: Path, tmp_path: Path, harness_cli: Harness
) -> None:
    """Another path to the base's own folder: a served name that changes nothing."""
    alias = tmp_path / "alias"
    alias.symlink_to(smollm2)
    recipe = served(url, str(smollm2), tokenizer=smollm2, adapter=str(alias))
    suite = write(tmp_path / "suite", {"tuned": recipe}, n=1)
    done = harness_cli("run", suite, "--out", tmp_path / "run", env={"NO_PROXY": "127.0.0.1"})
    assert done.returncode == 4
    assert "changes nothing on the server" in done.stderr
    assert not (tmp_path / "run").exists()
