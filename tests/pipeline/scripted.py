"""A suite whose answers are known beforehand, and the engine that gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.pipeline.inputs import load, repeats
from harness.pipeline.session import Session, Settings, Work
from harness.rules import parse_rules
from harness.store.cache import Cache
from harness.types import (
    Adapter,
    Completion,
    Data,
    Prompt,
    Request,
    RuleSet,
    Sample,
    Suite,
    Task,
    Variant,
)

BASE = "a base"
SUPERIOR = {"metric": "exact_match", "role": "superior", "versus": "zero", "margin": 0.0}


class Scripted:
    """A ``types.Engine``: sample number i is answered right where i % 100 is below the number in
    the variant's system prompt; with an adapter always. ``stop_after``: Ctrl-C comes then."""

    device = "cpu"

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        self.folder = folder
        self.identity = {"precision": "fp32", "weights_sha256": "0", "template_sha256": "0"}
        self.asked: list[tuple[str, str, str | None]] = []
        """System prompt, question and adapter of every request, in order."""
        self.context_length = 100
        self._left = stop_after

    def prompts(self, conversations) -> list[Prompt]:
        return [
            Prompt(tuple(c), " | ".join(m["content"] for m in c), tuple(map(ord, str(c))))
            for c in conversations
        ]

    def prove(self, adapter: str) -> dict[str, bool]:
        return {"applied": True}

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in requests:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = None if self._left is None else self._left - 1
            system, question = (m["content"] for m in request.prompt.messages)
            self.asked.append((system, question, request.adapter))
            number = int(question)
            if system == "fail":
                yield Completion(request.key, None, 1, 0, 0.0, "error", "it fails")
                continue
            right = request.adapter is not None or number % 100 < int(system)
            yield Completion(request.key, "yes" if right else "no", 10, 1, 0.01, "stop")

    def close(self) -> None:
        pass


def an_adapter(folder: Path) -> Adapter:
    """One that was trained elsewhere."""
    folder.mkdir(exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}), "utf-8")
    return Adapter(path=str(folder))


def rules(candidate: str, *made, **options) -> RuleSet:
    return parse_rules({"candidate": candidate, "rule": list(made), **options}, where="test")


def suite(variants: dict[str, str], made: RuleSet | None, *, n=200, tasks=("t",), adapter=None):
    """``variants``: name to system prompt; the one called ``adapter`` has one."""
    samples = tuple(Sample(f"s{i:03d}", str(i), ("yes",)) for i in range(n))
    return Suite(
        "scripted",
        [Task(name, Data(samples), ["exact_match"]) for name in tasks],
        [
            Variant(name, BASE, system=system, adapter=adapter if name == "adapter" else None)
            for name, system in variants.items()
        ],
        made,
    )


@contextmanager
def at_work(made: Suite, settings: Settings, engine: Scripted, cache: Path) -> Iterator[Work]:
    session = Session.begin(made, settings, None)
    session.engines[BASE, "bf16"] = engine  # type: ignore[assignment]
    inputs = load(made, made.variants, seed=settings.seed, limit=settings.limit)
    with Cache.open(cache / "responses.sqlite") as session.cache:
        yield Work(session, inputs, repeats(made.variants))
