"""This package's engine through its public interface: a side of ../throughput.py.

python own_side.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from worker import Complete, serve

from harness import sources
from harness.engines.local import LocalEngine
from harness.types import Prompt, Request


def load() -> Complete:
    folder = Path(sys.argv[1])
    engine = LocalEngine(folder, "bf16", weights_sha256=sources.weights_sha256(folder))

    def complete(prompts: list[list[int]], new: int) -> tuple[list[str], int]:
        requests = [
            Request(str(i), Prompt((), "", tuple(ids)), max_new_tokens=new)
            for i, ids in enumerate(prompts)
        ]
        found = {int(answer.key): answer for answer in engine.complete(requests)}
        texts = [found[i].text or "" for i in range(len(prompts))]
        return texts, sum(answer.tokens_out for answer in found.values())

    return complete


if __name__ == "__main__":
    serve(load)
