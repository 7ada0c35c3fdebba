"""llama.cpp's server, asked by as many clients as there are prompts: a side of ../throughput.py.

python llama_side.py MODEL.gguf THREADS, in the environment of peers/llama.txt.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

from worker import Complete, serve

SLOTS, CONTEXT = 64, 640


def load() -> Complete:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[2])
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)

    def ask(job: tuple[list[int], int]) -> dict[str, object]:
        prompt, new = job
        body = {
            "prompt": prompt,
            "n_predict": new,
            "temperature": 0,
            # Each repetition is to be computed anew, as it is on the other sides.
            "cache_prompt": False,
        }
        # Named here so that the server lives as long as its clients.
        address = f"{server.listening_address}/completion"
        request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request) as reply:
            found: dict[str, object] = json.load(reply)
        return found

    def complete(prompts: list[list[int]], new: int) -> tuple[list[str], int]:
        with ThreadPoolExecutor(len(prompts)) as clients:
            found = list(clients.map(ask, [(ids, new) for ids in prompts]))
        return [str(one["content"]) for one in found], sum(
            int(str(one["tokens_predicted"])) for one in found
        )

    return complete


if __name__ == "__main__":
    serve(load)
