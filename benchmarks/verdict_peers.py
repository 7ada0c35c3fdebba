"""The tools beside this one: a process a variant, on prompts that are rendered already.

They are given what this package would otherwise spend time on (shots found, passages retrieved,
templates filled in), so that the token ids are the same and the comparison is in their favour.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import Spent, measured
from verdict_suite import ADAPTED, MAX_NEW_TOKENS

PEERS = Path(__file__).parent / "peers"
LM_EVAL_TASK = """task: {variant}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {prompts}
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: target
generation_kwargs:
  until: []
  max_gen_toks: {new}
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1
"""


@dataclass(frozen=True)
class Asked:
    """One variant as a peer gets it."""

    variant: str
    prompts: Path
    """JSON Lines with id, prompt and target."""
    base: Path
    adapter: Path
    """A PEFT folder whose card names ``base``."""
    batch: int


@dataclass(frozen=True)
class Answered:
    spent: Spent
    prompts: dict[str, str]
    """Of each sample, as the tool's own log has it."""
    texts: dict[str, str]


def lm_eval(python: Path, asked: Asked, place: Path, env: dict[str, str]) -> Answered:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    task = LM_EVAL_TASK.format(variant=asked.variant, prompts=asked.prompts, new=MAX_NEW_TOKENS)
    (place / f"{asked.variant}.yaml").write_text(task, "utf-8")
    model = f"pretrained={asked.base},dtype=bfloat16"
    if asked.variant in ADAPTED:
        model += f",peft={asked.adapter}"
    command = [
        *(python, "-m", "lm_eval", "run", "--model", "hf", "--model_args", model),
        *("--tasks", asked.variant, "--include_path", place, "--batch_size", str(asked.batch)),
        *("--device", "cpu", "--log_samples", "--output_path", place / "out"),
    ]
    env = {**env, "HF_DATASETS_CACHE": str(place / "datasets")}
    spent = measured(command, place / "log.txt", cwd=place, env=env)
    (log,) = (place / "out").rglob("samples_*.jsonl")
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return Answered(
        spent,
        {r["doc"]["id"]: r["arguments"]["gen_args_0"]["arg_0"] for r in rows},
        {r["doc"]["id"]: r["filtered_resps"][0] for r in rows},
    )


def inspect_ai(python: Path, asked: Asked, place: Path, env: dict[str, str]) -> Answered:
    shutil.rmtree(place, ignore_errors=True)
    model = asked.adapter if asked.variant in ADAPTED else asked.base
    command = [
        *(python, PEERS / "inspect_run.py", asked.prompts, model, asked.base, place / "logs"),
        *(str(asked.batch), str(MAX_NEW_TOKENS)),
    ]
    spent = measured(command, place / "log.txt", cwd=asked.prompts.parent, env=env)
    (log,) = (place / "logs").glob("*.json")
    rows = json.loads(log.read_text("utf-8"))["samples"]
    return Answered(
        spent,
        {r["id"]: r["input"] for r in rows},
        {r["id"]: r["output"]["choices"][0]["message"]["content"] for r in rows},
    )


TOOLS = {"lmeval": ("lm-evaluation-harness", lm_eval), "inspect": ("inspect_ai", inspect_ai)}
"""Name of the environment to the tool's name and the function that runs it."""


def with_base(adapter: Path, base: Path, place: Path) -> Path:
    """A copy of the adapter whose card names the base's folder, from where inspect_ai's
    provider loads it."""
    shutil.copytree(adapter, place, dirs_exist_ok=True)
    card = place / "adapter_config.json"
    config = json.loads(card.read_text("utf-8"))
    card.write_text(json.dumps({**config, "base_model_name_or_path": str(base)}), "utf-8")
    return place


def token_ids(python: Path, folder: Path, texts: Sequence[str], place: Path) -> list[list[object]]:
    """Count and hash of the token ids of each text, by the tokenizer of that environment."""
    file = place / "texts.json"
    file.write_text(json.dumps(list(texts)), "utf-8")
    done = subprocess.run(
        [python, PEERS / "tokens.py", folder, file], check=True, stdout=subprocess.PIPE, text=True
    )
    found: list[list[object]] = json.loads(done.stdout)
    return found
