"""Seconds a sample of a whole run, from 100 to 10,000 samples: does cost grow linearly?

    python benchmarks/cache_scale.py [--n 100 1000 10000] [--profile FILE]

Five variants (prompt, few-shot, nearest shots, BM25, BM25 + adapter) on samples that an engine
without a model answers at once, so that what is left is everything else: data, prompts,
retrieval, keys, cache, scores, tables, the run folder. First with an empty cache, then again with
all answers known. The corpus and the training data keep their size, as a search costs more in a
larger one.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from harness.pipeline import Settings
from harness.pipeline.inputs import load, repeats
from harness.pipeline.measuring import whole
from harness.pipeline.session import Session, Work
from harness.store import runs
from harness.store.cache import NAME, Cache
from harness.types import (
    Adapter,
    Completion,
    Data,
    Document,
    Prompt,
    Request,
    Retriever,
    Sample,
    Shots,
    Suite,
    Task,
    Variant,
)

WORDS = [f"word{i}" for i in range(5000)]
BASE = "a base"
BURST = 64
"""Answers that come at once, as from a batch."""


class Ready:
    """A ``types.Engine`` that has its answers ready."""

    device = "cpu"
    context_length = 100_000
    folder = Path()

    def __init__(self) -> None:
        self.identity = {"precision": "bf16", "weights_sha256": "0", "template_sha256": "0"}
        self.asked = 0

    def prompts(self, conversations: Sequence[Sequence[dict[str, str]]]) -> list[Prompt]:
        texts = [" | ".join(m["content"] for m in c) for c in conversations]
        return [
            # A token is four characters, as in English text.
            Prompt(tuple(c), text, tuple(map(ord, text[::4])))
            for c, text in zip(conversations, texts, strict=True)
        ]

    def prove(self, adapter: str) -> dict[str, bool]:
        return {"applied": True}

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for start in range(0, len(requests), BURST):
            for request in requests[start : start + BURST]:
                self.asked += 1
                text = request.prompt.text[-80:]
                yield Completion(request.key, text, len(request.prompt.tokens), 20, 0.001, "stop")

    def close(self) -> None:
        pass


def made(n: int, adapter: Path) -> Suite:
    rng = random.Random(0)

    def text(length: int) -> str:
        return " ".join(rng.choices(WORDS, k=length))

    def samples(prefix: str, count: int) -> tuple[Sample, ...]:
        return tuple(Sample(f"{prefix}{i}", text(40), (text(10),)) for i in range(count))

    corpus = tuple(Document(f"d{i}", text(60)) for i in range(1000))
    data = Data(samples("s", n), samples("t", 500), corpus)
    trained = Adapter(path=str(adapter))
    variants = [
        Variant("zero_shot", BASE),
        Variant("few_shot", BASE, shots=Shots(4)),
        Variant("nearest", BASE, shots=Shots(4, "nearest")),
        Variant("rag", BASE, retriever=Retriever(k=3)),
        Variant("adapter_rag", BASE, retriever=Retriever(k=3), adapter=trained),
    ]
    task = Task("t", data, ["exact_match", "f1"])
    return Suite("scale", [task], variants, None)


def run(suite: Suite, folder: Path) -> tuple[float, float, int]:
    """Seconds from the suite to the run folder, those of the processor (which others on the
    machine change less), and how many answers the engine made."""
    started, worked = time.perf_counter(), time.process_time()
    session, engine = Session.begin(suite, Settings(), None), Ready()
    session.engines[BASE, "bf16"] = engine  # type: ignore[assignment]
    inputs = load(suite, suite.variants, seed=0, limit=None)
    with Cache.open(folder / NAME) as cache:
        found = whole(Work(session, inputs, repeats(suite.variants), cache), suite.variants, [])
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    runs.write_run(out, found.manifest, found.outputs, found.scores)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    print("   ", {name: round(s, 2) for name, s in session.timings.items()}, flush=True)
    return seconds, work, engine.asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=[100, 300, 1000, 3000, 10_000])
    parser.add_argument("--profile", metavar="FILE", help="Of the last size, both runs.")
    options = parser.parse_args()
    for n in options.n:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "adapter_model.safetensors").write_bytes(b"weights")
            card = json.dumps({"peft_type": "LORA"})
            (folder / "adapter_config.json").write_text(card, "utf-8")
            suite = made(n, folder)
            profiled = options.profile and n == options.n[-1]
            with cProfile.Profile() if profiled else nullcontext() as profile:
                both = [run(suite, folder) for _ in range(2)]
            size = (folder / NAME).stat().st_size
            if profile is not None:
                profile.dump_stats(options.profile)
        print(f"{n} samples x {len(suite.variants)} variants; cache {size / 1e6:.1f} MB")
        for title, (seconds, work, asked) in zip(("first ", "second"), both, strict=True):
            print(
                f"  {title} {seconds:6.2f} s, {1000 * seconds / n:5.2f} ms a sample; processor "
                f"{work:6.2f} s, {1000 * work / n:5.2f} ms a sample; {asked} answers made",
                flush=True,
            )


if __name__ == "__main__":
    main()
