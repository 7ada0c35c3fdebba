"""Which engine answers for a variant: variants of one place share an engine, and so one base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import fingerprints, sources
from harness.engines.local import LocalEngine
from harness.engines.ray_cluster import require_ray
from harness.engines.ray_engine import RayEngine
from harness.engines.server import ServerEngine
from harness.pipeline.inputs import Inputs
from harness.store.cache import Cache
from harness.types import SERVED, Engine, Message, Variant

if TYPE_CHECKING:
    from harness.pipeline.session import Session

Place = tuple[str, str]
"""Model reference and precision; of a variant on a server its model and all that is set about the
server."""

PROBES = 4
"""Samples of each task among the prompts that prove a served adapter: what it was trained for."""


def place(variant: Variant) -> Place:
    """Variants of equal places are answered by one engine."""
    if variant.server is None:
        return variant.model, variant.precision
    return variant.model, fingerprints.of(variant.server)


def begin(variant: Variant, session: Session) -> Engine:
    """The engine of the variant's place; weights are fetched now, and loaded when first needed."""
    if variant.server is not None:
        tokenizer = variant.server.tokenizer
        folder = tokenizer and sources.model_folder(tokenizer, progress=session.progress.say)
        return ServerEngine(variant.model, variant.server, tokenizer=folder or None)
    assert variant.precision != SERVED  # recipes give it to no other
    folder = sources.model_folder(variant.model, progress=session.progress.say)
    weights, settings = sources.weights_sha256(folder), session.settings
    if settings.executor == "ray":
        others = (e for e in session.engines.values() if isinstance(e, RayEngine))
        return RayEngine(
            variant.model,
            folder,
            variant.precision,
            weights_sha256=weights,
            device=settings.device,
            deterministic=settings.deterministic,
            workers=settings.workers,
            bases=len({place(v) for v in session.suite.variants if v.server is None}),
            like=next(others, None),
            say=session.progress.say,
        )
    return LocalEngine(
        folder,
        variant.precision,
        weights_sha256=weights,
        device=settings.device,
        deterministic=settings.deterministic,
        memo=None if session.cache is None else Remembered(session.cache),
    )


class Remembered:
    """Implements ``types.Memo`` over the run's cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return self._cache.get_many("evidence", keys)

    def put_many(self, items: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self._cache.put_many("evidence", items)


def check(executor: str) -> None:
    """Raise MissingExtra where the executor's package is not installed."""
    if executor == "ray":
        require_ray()


def greet(session: Session, inputs: Sequence[Inputs], variants: Sequence[Variant]) -> None:
    """Ask every server whether it is there and knows its names, before anything is spent.

    Raises ServerError where one is not, or does not.
    """
    for variant in variants:
        engine = session.engine(variant) if variant.server is not None else None
        if isinstance(engine, ServerEngine):
            session.progress.say(f"asking the server at {engine.server.base_url}")
            named = variant.adapter.served if variant.adapter else None
            engine.reach([named] if named else [])
            if named:
                engine.probes = _probes(session, inputs, variant)


def _probes(
    session: Session, inputs: Sequence[Inputs], variant: Variant
) -> list[tuple[Message, ...]]:
    return [
        talk.messages
        for one in inputs
        for talk in session.prompter.conversations(one, variant, one.data.eval[:PROBES])
    ]
