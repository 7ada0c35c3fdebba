"""One process with its wall time and its peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spent:
    """What a command took."""

    seconds: float
    peak_gb: float
    """Greatest resident memory of the process or of one of its children."""
    code: int


def measured(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path,
    env: Mapping[str, str],
    codes: Collection[int] = (0,),
) -> Spent:
    """Run ``command`` to its end, its words into ``log``. Raises SystemExit where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **env}, stdout=out, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in codes:
        end = log.read_text("utf-8", "replace")[-2000:]
        raise SystemExit(f"{' '.join(map(str, command))} exited with {code}:\n{end}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return Spent(seconds, usage.ru_maxrss * unit / 1e9, code)


def environment(threads: int) -> dict[str, str]:
    """The same settings for every side."""
    return {
        "OMP_NUM_THREADS": str(threads),
        # Threads that spin on shared cores can be ten times slower; no side is to suffer from it.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
