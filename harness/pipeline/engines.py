"""Which engine answers for a variant: variants of one place share an engine, and so one base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import sources
from harness.engines.local import LocalEngine
from harness.engines.ray_cluster import require_ray
from harness.engines.ray_engine import RayEngine
from harness.types import Engine, Variant

if TYPE_CHECKING:
    from harness.pipeline.session import Session

Place = tuple[str, str]
"""Model reference and precision."""


def place(variant: Variant) -> Place:
    """Variants of equal places are answered by one engine."""
    return variant.model, variant.precision


def begin(variant: Variant, session: Session) -> Engine:
    """The engine of the variant's place; weights are fetched now, and loaded when first needed."""
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
            bases=len({place(v) for v in session.suite.variants}),
            like=next(others, None),
            say=session.progress.say,
        )
    return LocalEngine(
        folder,
        variant.precision,
        weights_sha256=weights,
        device=settings.device,
        deterministic=settings.deterministic,
    )


def check(executor: str) -> None:
    """Raise MissingExtra where the executor's package is not installed."""
    if executor == "ray":
        require_ray()
