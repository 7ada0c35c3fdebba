"""How likely the targets are under each variant, where a scorer asks for it; kept like answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import fingerprints, scorers
from harness.pipeline.progress import Progress
from harness.pipeline.responses import Planned
from harness.pipeline.storing import Storing
from harness.store.cache import Cache
from harness.types import Engine, Forced, Likelihood

Found = Mapping[tuple[str, str], Likelihood]
"""Key of the request and target to likelihood."""


def collect(
    planned: Sequence[Planned], engine: Engine, cache: Cache, progress: Progress, title: str = ""
) -> Found:
    """The likelihood of every target that a scorer asks for, from the cache where it is known.

    New ones are stored while the engine makes the next: see ``Storing``.
    """
    asked = {
        (p.request.key, target): _forced(p, target, engine)
        for p in planned
        if any(scorers.needs_likelihood(s) for s in p.inputs.scorers)
        for target in p.sample.targets
    }
    # Repeats of a sample, and variants that ask the same, share one.
    requests = {forced.key: forced for forced in asked.values()}
    if not requests:
        return {}
    known = {
        key: Likelihood(key=key, **value)
        for key, value in cache.get_many("responses", requests).items()
    }
    missing = [r for key, r in requests.items() if key not in known]
    name = f"{title}{engine.identity['precision']} likelihoods"
    if missing:
        progress.stage(f"{name} ({len(known)} known)", len(missing))
    else:
        progress.say(f"{name}: all {len(known)} known from earlier runs")
    with Storing(cache) as storing:
        for likelihood in engine.likelihoods(missing) if missing else ():
            if likelihood.error is None:
                storing.add(likelihood.key, _stored(likelihood))
            known[likelihood.key] = likelihood
            progress.advance()
    known.update((key, Likelihood(key=key, **value)) for key, value in storing.there.items())
    lost = requests.keys() - known.keys()
    if lost:
        raise RuntimeError(f"the engine gave no likelihood for {len(lost)} requests")
    return {place: known[forced.key] for place, forced in asked.items()}


def rows(planned: Sequence[Planned], found: Found) -> list[tuple[Likelihood, ...] | None]:
    """For each answer the likelihoods of its sample's targets; None where they are not known."""
    return [_row(p, found) for p in planned]


def _row(planned: Planned, found: Found) -> tuple[Likelihood, ...] | None:
    row = [found.get((planned.request.key, target)) for target in planned.sample.targets]
    known = tuple(one for one in row if one is not None)
    return known if known and len(known) == len(row) else None


def _forced(planned: Planned, target: str, engine: Engine) -> Forced:
    request = planned.request
    identity = {
        "likelihood": 1,
        "engine": engine.identity,
        "adapter_sha256": request.adapter_sha256,
        "prompt": request.prompt.tokens or request.prompt.messages,
        "target": target,
    }
    return Forced(
        fingerprints.of(identity),
        request.prompt,
        target,
        request.adapter,
        request.adapter_sha256,
    )


def _stored(likelihood: Likelihood) -> Mapping[str, Any]:
    value: dict[str, Any] = fingerprints.plain(likelihood)
    del value["key"]
    return value
