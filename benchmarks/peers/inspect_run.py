"""One variant in inspect_ai's hf provider; run by ../verdict_peers.py in inspect_ai's environment.

python inspect_run.py PROMPTS.jsonl MODEL TOKENIZER LOGS BATCH MAX_NEW_TOKENS

A line of PROMPTS: {"id", "prompt", "target"}, the prompt as text after the chat template. MODEL
may be a PEFT folder: transformers then loads its base and puts the adapter on.
"""

from __future__ import annotations

import sys

from inspect_ai import Task, eval
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.model import get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate


def main() -> None:
    prompts, folder, tokenizer, logs, batch, new = sys.argv[1:]
    model = get_model(
        "hf/local",
        model_path=folder,
        tokenizer_path=tokenizer,
        dtype="bfloat16",
        do_sample=False,
        chat_template="{{ messages[0]['content'] }}",  # the prompt is rendered already
        tokenizer_call_args={"add_special_tokens": False},
    )
    fields = FieldSpec(input="prompt", target="target", id="id")
    task = Task(
        name="codes",
        dataset=json_dataset(prompts, fields),
        solver=generate(),
        scorer=match(location="exact", ignore_case=False),
    )
    (log,) = eval(
        task,
        model=model,
        max_tokens=int(new),
        max_connections=int(batch),
        max_samples=100_000,
        log_dir=logs,
        log_format="json",
        display="none",
    )
    if log.status != "success":
        raise SystemExit(f"inspect_ai: {log.status}: {log.error}")


if __name__ == "__main__":
    main()
