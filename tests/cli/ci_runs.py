"""Runs on disk for the tests of ``harness ci`` and of the scripts that call it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from made_runs import made_run, rules, superior

from harness.rules import rules_to_dict
from harness.store.runs import write_run


def write(folder: Path, gain: float = 0.3, *, n: int = 60, **manifest: Any) -> Path:
    """A run of suite 'desk': `tuned` is better than `prompt` by about ``gain``."""
    rng = random.Random(0)
    old: list[float | None] = [round(rng.uniform(0, 0.4), 3) for _ in range(n)]
    new = [None if x is None else round(max(0.0, x + gain + rng.uniform(0, 0.1)), 3) for x in old]
    run = made_run({"prompt": old, "tuned": new}, task="triage", tokens_out=[3] * n)
    run.manifest.update(suite="desk", fingerprint="f" * 64, harness_version="0.1.0")
    run.manifest["rules"] = rules_to_dict(rules("tuned", superior("prompt", margin=0.1)))
    run.manifest.update(manifest)
    return write_run(folder, run.manifest, run.outputs, run.scores)
