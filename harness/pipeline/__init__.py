"""Suite to run: the order of the steps and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness import models, scorers, sources
from harness.errors import SuiteError, UsageError, did_you_mean
from harness.pipeline import adapters, engines, judging, probe, sequence, staged
from harness.pipeline.inputs import Inputs, load, repeats
from harness.pipeline.measuring import whole
from harness.pipeline.planning import adapter_of
from harness.pipeline.progress import Progress, Silent
from harness.pipeline.session import Session, Settings, Work
from harness.pipeline.wiring import wired
from harness.store import ledger, runs
from harness.store.cache import NAME, Cache
from harness.store.runs import Run
from harness.types import Suite, Variant

__all__ = ["Progress", "Settings", "Silent", "run", "train"]


def run(suite: Suite, settings: Settings, progress: Progress | None = None) -> Path:
    """Measure the suite's variants and write the run; returns its folder.

    Answers, trained adapters and expensive scores come from the cache where they are known, so
    a run that was interrupted continues where it stopped. Raises UsageError and InvalidRun as
    the steps do; what can be known beforehand (names, data, device, a place that cannot be
    written) before the first of them.
    """
    session = Session.begin(suite, settings, progress)
    variants = select(suite, settings.variants)
    _check_way(suite, variants, settings)
    engines.check(settings.executor)
    k = repeats(variants)
    runs.check_place(settings.out or _default_folder(suite.name, "new"))
    ledger.total(session.spent)  # a damaged one is told before more is spent
    inputs = _inputs(session, variants)
    engines.greet(session, inputs, variants)
    judging.greet(session, inputs, variants)
    with session.timed("scorers"):
        scorers.prepare([s for i in inputs for s in i.scorers])
    with session.evaluation(), Cache.open(sources.cache_dir() / NAME) as session.cache:
        try:
            made = _measured(Work(session, inputs, k), variants)
        finally:
            session.close()
    manifest = {**made.manifest, "spent": ledger.total(session.spent)}
    folder = settings.out or _default_folder(suite.name, manifest["fingerprint"])
    written = runs.write_run(folder, manifest, made.outputs, made.scores, judgments=made.judgments)
    if settings.out is None:
        runs.point_latest(written)
    return written


def train(
    suite: Suite, settings: Settings, progress: Progress | None = None
) -> dict[str, adapters.Ready]:
    """Train the adapters of the suite's variants; returns variant name to adapter."""
    session = Session.begin(suite, settings, progress)
    named = select(suite, settings.variants)
    # What a server has was trained before.
    variants = [v for v in named if v.adapter is not None and v.server is None]
    if not variants:
        raise SuiteError("None of these variants has an adapter, so there is nothing to train.")
    inputs = _inputs(session, variants)
    found = {}
    for variant in variants:
        made = adapter_of(session, variant, inputs)
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


def _check_way(suite: Suite, variants: Sequence[Variant], settings: Settings) -> None:
    if settings.staged and settings.sequential:
        raise UsageError(
            "--staged and --sequential do not go together: --staged decides about training from "
            "all samples of the variants without an adapter, --sequential trains first and then "
            "measures as few samples as it can. Choose one: --staged to learn whether an adapter "
            "is needed, --sequential to judge one early."
        )
    if settings.staged:
        staged.check(suite, variants)
    if settings.sequential:
        sequence.check(suite)


def _inputs(session: Session, variants: Sequence[Variant]) -> list[Inputs]:
    settings = session.settings
    with session.timed("data"):
        loaded = load(session.suite, variants, seed=settings.seed, limit=settings.limit)
        inputs = [replace(i, scorers=wired(i.scorers, session.encoders)) for i in loaded]
    if settings.staged and session.suite.rules is not None:
        staged.check_targets(session.suite.rules, inputs)
    if any(v.server is None for v in variants):
        models.pick_device(settings.device)
    return inputs


def _measured(work: Work, variants: Sequence[Variant]) -> Run:
    settings, rules = work.session.settings, work.session.suite.rules
    if settings.staged:
        return staged.measure(work, variants)
    if settings.sequential:
        return sequence.measure(work, variants)
    return whole(work, variants, probe.of_rules(rules))


def _default_folder(suite: str, fingerprint: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path("runs") / suite / f"{stamp}-{fingerprint[:12]}"
