"""A small suite of variants here and on a server, and what its run tells of the difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from harness.store.runs import Run, read_run

Harness = Callable[..., CompletedProcess[str]]

SUITE = """
from pathlib import Path
from harness import Data, Sample, Suite, Task
from harness.recipes import load_variant

HERE = Path(__file__).parent
QUESTIONS = {questions}
eval_ = tuple(Sample(f"s{{i}}", q, targets=("banana",)) for i, q in enumerate(QUESTIONS))
train = tuple(Sample(f"t{{i}}", f"Item {{i}}?", targets=("banana",)) for i in range(8, 16))
suite = Suite(
    name="served",
    tasks=[
        Task(
            "t",
            Data(eval=eval_, train=train),
            ["exact_match"{scorers}],
            system="Answer with one word.",
            max_new_tokens={tokens},
        )
    ],
    variants=[load_variant(p) for p in sorted(HERE.glob("*.toml"))],
)
"""
TRAINED = """
model = "{base}"
[adapter]
precision = "bf16"
lora_r = 8
learning_rate = 5e-3
max_steps = 8
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
warmup_ratio = 0.0
"""
QUESTIONS = ("What is 2+2?", "Name a colour.", "Say hello in French.", "Who wrote Hamlet?")


def write(
    folder: Path, recipes: Mapping[str, str], *, tokens: int = 8, scorers: str = "", n: int = 4
) -> Path:
    folder.mkdir(parents=True)
    questions = [QUESTIONS[i] if i < 4 else f"What is {i} plus {i}?" for i in range(n)]
    text = SUITE.format(questions=questions, tokens=tokens, scorers=scorers)
    (folder / "suite.py").write_text(text, "utf-8")
    for name, recipe in recipes.items():
        (folder / f"{name}.toml").write_text(recipe, "utf-8")
    return folder


def served(
    url: str, model: str, *, tokenizer: Path | None = None, adapter: str | None = None
) -> str:
    """A recipe; with ``tokenizer`` its prompts are rendered here."""
    lines = [f'model = "{model}"', "[server]", f'base_url = "{url}"']
    if tokenizer is not None:
        lines += ['api = "completions"', f'tokenizer = "{tokenizer}"']
    if adapter is not None:
        lines += ["[adapter]", f'served = "{adapter}"']
    return "\n".join(lines)


def measured(suite: Path, out: Path, harness_cli: Harness) -> tuple[Run, dict[str, Any]]:
    """The run, and by served variant how far it agrees with its twin here."""
    done = harness_cli("run", suite, "--out", out, "--report-only", env={"NO_PROXY": "127.0.0.1"})
    # Without rules there is no verdict.
    assert done.returncode == 4, done.stderr
    assert "no gating rule" in done.stdout, done.stderr
    compared = harness_cli("compare", out, "--json")
    assert compared.returncode == 0, compared.stderr
    rows = json.loads(compared.stdout)["agreement"]
    return read_run(out), {row["served"]: row for row in rows}


def trained(base: Path, folder: Path) -> Path:
    """An adapter trained a few steps: enough to say something else than the base."""
    suite = write(folder / "suite", {"tuned": TRAINED.format(base=base)})
    done = subprocess.run(
        [sys.executable, "-m", "harness", "train", suite, "--device", "cpu"],
        env={**os.environ, "HARNESS_CACHE": str(folder / "cache"), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.splitlines()[0].removeprefix("tuned: "))
