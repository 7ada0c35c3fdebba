"""The loop of every side of ../throughput.py: jobs in, answers out, a JSON line each.

A job is {"ids": [[token id]], "new": int}; an answer {"seconds", "tokens": int, "texts": [str]}.
Whatever a library prints goes to standard error, so that standard output holds answers alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

Complete = Callable[[list[list[int]], int], tuple[list[str], int]]
"""Prompts and new tokens in; texts and the number of all new tokens out."""


def serve(load: Callable[[], Complete]) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    complete = load()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        started = time.perf_counter()
        texts, tokens = complete(job["ids"], job["new"])
        seconds = time.perf_counter() - started
        answer = {"seconds": seconds, "tokens": tokens, "texts": texts}
        print(json.dumps(answer), file=answers, flush=True)
