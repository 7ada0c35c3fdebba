"""Which engine answers for a variant: variants of one place share an engine, and so one base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import sources
from harness.engines.local import LocalEngine
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
    return LocalEngine(
        folder,
        variant.precision,
        weights_sha256=sources.weights_sha256(folder),
        device=session.settings.device,
        deterministic=session.settings.deterministic,
    )
