"""Seconds and memory of `harness run` as the samples become more, on a stub of a model.

    python benchmarks/growth.py [--n 100 1000 10000] [--threads 2] [--work DIR]

The stub has SmolLM2's tokenizer and two layers of random weights, so that what is measured is all
that this package adds: prompts, retrieval, batches, cache, scores, intervals, report. Two variants
(`zero_shot` and `rag`, the best 3 of 5,046 passages), answers of 4 tokens. Each number of samples
is a process of its own with an empty cache; growth is linear where the last column stays level.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import peer_envs
import verdict_own
import verdict_suite
from processes import environment

from harness.types import Data, Sample

VARIANTS = ("zero_shot", "rag")
RULES = """candidate = "rag"

[[rule]]
metric = "exact_match"
role = "non_inferior"
versus = "zero_shot"
margin = 0.5
"""


def stub(folder: Path) -> Path:
    """A causal language model that costs next to nothing."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    base = verdict_suite.base()
    if (folder / "model.safetensors").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in base.iterdir():
        if file.suffix in (".json", ".jinja", ".txt") and file.name != "config.json":
            shutil.copy(file, folder)
    config = AutoConfig.from_pretrained(base)
    config.hidden_size, config.intermediate_size, config.head_dim = 32, 64, 16
    config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads = 2, 2, 1
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def questions(n: int) -> Data:
    """``n`` of them: the real ones, numbered where they are asked again."""
    asked = verdict_suite.data(1000)
    again = [
        Sample(f"{s.id}#{i}", f"{s.input} ({i})", s.targets)
        for i in range(-(-n // len(asked.eval)))
        for s in asked.eval
    ]
    return Data(eval=tuple(again[:n]), train=asked.train, corpus=asked.corpus)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=peer_envs.default_folder().parent / "growth")
    options = parser.parse_args()
    work = options.work.absolute()
    suite = verdict_suite.write(
        work / "suite", questions(max(options.n)), adapter=None, rule="clear"
    )
    text = (suite / "suite.py").read_text("utf-8")
    text = text.replace(str(verdict_suite.base()), str(stub(work / "stub")))
    text = text.replace(repr(verdict_suite.VARIANTS), repr(VARIANTS))
    (suite / "suite.py").write_text(text.replace("max_new_tokens=16", "max_new_tokens=4"), "utf-8")
    (suite / "rules.toml").write_text(RULES, "utf-8")
    print("| samples a variant | seconds | peak GB | milliseconds a further sample |")
    print("|---|---|---|---|")
    before: tuple[int, float] | None = None
    for n in sorted(options.n):
        env = environment(options.threads)
        ran = verdict_own.run(suite, work / "run", env, "--limit", str(n))
        further = ""
        if before:
            further = f"{1000 * (ran.spent.seconds - before[1]) / (n - before[0]):.1f}"
        seconds, peak = ran.spent.seconds, ran.spent.peak_gb
        print(f"| {n} | {seconds:.1f} | {peak:.2f} | {further} |", flush=True)
        before = n, seconds


if __name__ == "__main__":
    main()
