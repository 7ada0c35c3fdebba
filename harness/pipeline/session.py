"""What the steps of one run share: the choices, the engines, and the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness import sources
from harness.pipeline import engines
from harness.pipeline.inputs import Inputs
from harness.pipeline.judging import Bench
from harness.pipeline.progress import Progress, Silent
from harness.pipeline.prompting import Prompter
from harness.pipeline.wiring import Encoders
from harness.store import ledger
from harness.store.cache import Cache
from harness.types import Completion, Engine, Suite, Variant

EVALUATION = ("proof", "answers", "likelihoods", "noise", "probe", "scoring", "judging")
"""Steps whose seconds an evaluation costs."""


@dataclass(frozen=True)
class Settings:
    """What a caller may choose about a run without touching the suite."""

    variants: Sequence[str] = ()
    """Names of the variants to run; none: all."""
    limit: int | None = None
    """Samples a task, drawn with the seed; None: all."""
    seed: int = 0
    out: Path | None = None
    """Folder of the run; None: ``runs/<suite>/<time>-<fingerprint>`` in the working folder."""
    device: str = "auto"
    executor: Literal["local", "ray"] = "local"
    """Whether models run in this process, or in workers of a Ray cluster."""
    workers: int | None = None
    """Workers (``ray``); None: as many as there is room for."""
    deterministic: bool = False
    """Compute in fp32, so that no answer depends on what else is in its batch."""
    command: Sequence[str] = ()
    staged: bool = False
    """Look at the variants without an adapter first; train none where one meets the targets."""
    sequential: bool = False
    """Measure in batches, and stop as soon as the evidence decides."""
    batch: int = 50
    """Samples a task between two looks (``sequential``)."""
    probe: int | None = None
    """Samples a task whose latency is probed; 0: none; None: as many as the rules need."""


@dataclass
class Session:
    """One run under way."""

    suite: Suite
    settings: Settings
    progress: Progress
    prompter: Prompter
    encoders: Encoders
    engines: dict[engines.Place, Engine] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    again: dict[str, Completion] = field(default_factory=dict)
    """Second answers to a few requests, by key: what the run's noise is read off."""
    doubted: set[tuple[str, str]] = field(default_factory=set)
    """Engines (by the hash of their identity) and tasks of which there are such answers."""
    cache: Cache | None = None
    """Of answers, while some are asked for."""
    bench: Bench = field(default_factory=Bench)
    """The judges."""

    @classmethod
    def begin(cls, suite: Suite, settings: Settings, progress: Progress | None) -> Session:
        encoders = Encoders(settings.device)
        prompter = Prompter(settings.seed, encoders)
        return cls(suite, settings, progress or Silent(), prompter, encoders)

    @property
    def spent(self) -> Path:
        """The ledger of what this suite has cost, of all projects that share the cache."""
        return sources.cache_dir() / "spent" / f"{self.suite.name}.jsonl"

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[step] = self.timings.get(step, 0.0) + time.perf_counter() - started

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Enters into the ledger what the evaluation inside costs, also where it is interrupted."""
        finished = False
        try:
            yield
            finished = True
        finally:
            seconds = sum(self.timings.get(step, 0.0) for step in EVALUATION)
            if finished or seconds:
                ledger.append(self.spent, "evaluation", seconds, finished=finished)

    def engine(self, variant: Variant) -> Engine:
        """One engine for each place: the base is loaded once for all variants that share it."""
        place = engines.place(variant)
        if place not in self.engines:
            with self.timed("models"):
                self.engines[place] = engines.begin(variant, self)
        return self.engines[place]

    def close(self) -> None:
        """Let go of every base, and of every connection."""
        for engine in self.engines.values():
            engine.close()
        self.bench.close()


@dataclass(frozen=True)
class Work:
    """A session with its data, while answers are asked for."""

    session: Session
    inputs: Sequence[Inputs]
    repeats: int
    """Answers a sample."""

    @property
    def cache(self) -> Cache:
        """That keeps its answers."""
        assert self.session.cache is not None
        return self.session.cache
