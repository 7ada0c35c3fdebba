"""Plain ``generate`` of transformers on one left-padded batch: a side of ../throughput.py.

python generate_side.py FOLDER
"""

from __future__ import annotations

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from worker import Complete, serve


def load() -> Complete:
    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()

    def complete(prompts: list[list[int]], new: int) -> tuple[list[str], int]:
        batch = tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
        width = batch["input_ids"].shape[1]
        with torch.inference_mode():
            out = model.generate(**batch, max_new_tokens=new, do_sample=False)[:, width:]
        texts = tokenizer.batch_decode(out, skip_special_tokens=True)
        return texts, sum(_length(row, tokenizer.eos_token_id) for row in out.tolist())

    return complete


def _length(row: list[int], end: int) -> int:
    return row.index(end) + 1 if end in row else len(row)


if __name__ == "__main__":
    serve(load)
