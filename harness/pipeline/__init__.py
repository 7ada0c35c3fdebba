"""Suite to run: the order of the steps and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import fingerprints, models, scorers, sources
from harness.engines.adapters import WEIGHTS
from harness.engines.local import LocalEngine
from harness.errors import SuiteError, did_you_mean
from harness.pipeline import adapters, record, responses, scoring
from harness.pipeline.cautions import cautions
from harness.pipeline.inputs import Inputs, load, repeats
from harness.pipeline.progress import Progress, Silent
from harness.pipeline.prompting import Prompter
from harness.sources.hashes import file_sha256
from harness.store import runs
from harness.store.cache import Cache
from harness.types import Suite, Variant

__all__ = ["Progress", "Settings", "Silent", "run", "train"]


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
    command: Sequence[str] = ()


@dataclass
class _Session:
    """What the steps of one run share."""

    settings: Settings
    progress: Progress
    prompter: Prompter
    engines: dict[tuple[str, str], LocalEngine] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.timings[step] = self.timings.get(step, 0.0) + time.perf_counter() - started

    def engine(self, variant: Variant) -> LocalEngine:
        """One engine for each (model, precision): the base is loaded once for all variants."""
        key = (variant.model, variant.precision)
        if key not in self.engines:
            with self.timed("models"):
                folder = sources.model_folder(variant.model, progress=self.progress.say)
                self.engines[key] = LocalEngine(
                    folder,
                    variant.precision,
                    weights_sha256=sources.weights_sha256(folder),
                    device=self.settings.device,
                )
        return self.engines[key]


def run(suite: Suite, settings: Settings, progress: Progress | None = None) -> Path:
    """Measure the suite's variants and write the run; returns its folder.

    Answers, trained adapters and expensive scores come from the cache where they are known, so
    a run that was interrupted continues where it stopped. Raises UsageError and InvalidRun as
    the steps do; what can be known beforehand (names, data, device, a place that cannot be
    written) before the first of them.
    """
    session = _begin(settings, progress)
    variants = select(suite, settings.variants)
    k = repeats(variants)
    runs.check_place(settings.out or _default_folder(suite.name, "new"))
    inputs = _inputs(session, suite, variants)
    with session.timed("scorers"):
        scorers.prepare([s for i in inputs for s in i.scorers])
    with Cache.open(sources.cache_dir() / "responses.sqlite") as cache:
        measured, planned = _plan(session, variants, inputs, k, cache)
        completions: dict[str, Any] = {}
        with session.timed("answers"):
            for key, engine in session.engines.items():
                mine = [p for p in planned if (p.variant.model, p.variant.precision) == key]
                completions.update(responses.collect(mine, engine, cache, session.progress))
                # One base in memory at a time.
                engine.close()
        with session.timed("scoring"):
            answers = _scored(session, planned, completions, cache)
    outputs, scores = record.tables(answers, k)
    manifest = record.manifest(
        suite,
        inputs,
        measured,
        seed=settings.seed,
        limit=settings.limit,
        repeats=k,
        device=next(iter(session.engines.values())).device,
        command=settings.command,
        timings=session.timings,
        warnings=cautions(suite, variants, inputs, answers),
    )
    folder = settings.out or _default_folder(suite.name, manifest["fingerprint"])
    written = runs.write_run(folder, manifest, outputs, scores)
    if settings.out is None:
        runs.point_latest(written)
    return written


def train(
    suite: Suite, settings: Settings, progress: Progress | None = None
) -> dict[str, adapters.Ready]:
    """Train the adapters of the suite's variants; returns variant name to adapter."""
    session = _begin(settings, progress)
    variants = [v for v in select(suite, settings.variants) if v.adapter is not None]
    if not variants:
        raise SuiteError("None of these variants has an adapter, so there is nothing to train.")
    inputs = _inputs(session, suite, variants)
    found = {}
    for variant in variants:
        made = _adapter(session, variant, inputs)
        if made is not None:
            found[variant.name] = made
    return found


def select(suite: Suite, names: Sequence[str]) -> list[Variant]:
    """The suite's variants of those names, in the suite's order; all where none is named."""
    known = [v.name for v in suite.variants]
    for name in names:
        if name not in known:
            raise SuiteError(
                f"Suite '{suite.name}' has no variant '{name}'.{did_you_mean(name, known)}"
            )
    return [v for v in suite.variants if not names or v.name in names]


def _begin(settings: Settings, progress: Progress | None) -> _Session:
    return _Session(settings, progress or Silent(), Prompter(settings.seed, settings.device))


def _inputs(session: _Session, suite: Suite, variants: Sequence[Variant]) -> list[Inputs]:
    with session.timed("data"):
        inputs = load(suite, variants, seed=session.settings.seed, limit=session.settings.limit)
    models.pick_device(session.settings.device)
    return inputs


def _adapter(
    session: _Session, variant: Variant, inputs: Sequence[Inputs]
) -> adapters.Ready | None:
    engine = session.engine(variant)
    return adapters.ready(
        variant,
        inputs,
        session.prompter,
        engine,
        progress=session.progress,
    )


def _plan(
    session: _Session,
    variants: Sequence[Variant],
    inputs: Sequence[Inputs],
    k: int,
    cache: Cache,
) -> tuple[list[record.Measured], list[responses.Planned]]:
    """Every answer of the run, after the adapters are there and proved."""
    measured, planned = [], []
    for variant in variants:
        engine = session.engine(variant)
        with session.timed("training"):
            adapter = _adapter(session, variant, inputs)
        proof = None
        if adapter is not None:
            with session.timed("proof"):
                proof = responses.prove(engine, str(adapter.folder), adapter.sha256, cache)
            proof["prompts_match"] = adapter.prompts_match
        mine = []
        with session.timed("prompts"):
            for one in inputs:
                talks = session.prompter.conversations(one, variant, one.data.eval)
                pair = (str(adapter.folder), adapter.sha256) if adapter else None
                mine += responses.plan(one, variant, talks, engine=engine, adapter=pair, repeats=k)
        prints = {
            **engine.identity,
            "adapter_sha256": adapter.sha256 if adapter else None,
            # Of the one file, so that anybody can check it with sha256sum.
            "adapter_file_sha256": file_sha256(adapter.folder / WEIGHTS) if adapter else None,
            "prompts_sha256": fingerprints.of([p.request.key for p in mine]),
            "index_sha256": {
                one.task.name: session.prompter.index_sha256(one, variant.retriever)
                for one in inputs
            },
        }
        measured.append(record.Measured(variant, prints, adapter, proof))
        planned += mine
    return measured, planned


def _scored(
    session: _Session,
    planned: Sequence[responses.Planned],
    completions: dict[str, Any],
    cache: Cache,
) -> list[record.Answer]:
    answers: list[record.Answer] = []
    by_task: dict[str, list[responses.Planned]] = {}
    for one in planned:
        by_task.setdefault(one.inputs.task.name, []).append(one)
    session.progress.stage("scoring", len(planned))
    for task, mine in by_task.items():
        done = [completions[p.request.key] for p in mine]
        rows = scoring.score(
            mine[0].inputs.scorers, [c.text for c in done], [p.sample for p in mine], cache
        )
        answers += [record.Answer(p, c, row) for p, c, row in zip(mine, done, rows, strict=True)]
        session.progress.advance(len(mine), task)
    return answers


def _default_folder(suite: str, fingerprint: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path("runs") / suite / f"{stamp}-{fingerprint[:12]}"
