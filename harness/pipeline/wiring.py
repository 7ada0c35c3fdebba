"""Encoders for the parts that are handed one: scorers and dense retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from harness import sources
from harness.types import Encoder, Scorer


class Encoders:
    """One encoder for each reference, whoever asks for it. ``device``: ``auto``, ``cpu`` or
    ``cuda``."""

    def __init__(self, device: str = "auto") -> None:
        self.device = device
        self._found: dict[str, Encoder] = {}

    def of(self, reference: str) -> Encoder:
        """The encoder, which is fetched and loaded when it is first asked for anything; then it
        raises SourceError where it cannot be had, MissingExtra without torch."""
        if reference not in self._found:
            self._found[reference] = _Lazy(reference, self.device)
        return self._found[reference]


def wired(scorers: Sequence[Scorer], encoders: Encoders) -> tuple[Scorer, ...]:
    """The scorers, those that name an encoder (``encoder_reference``) with that encoder, and
    those that load one themselves (``with_device``) on the encoders' device."""
    return tuple(_wired(scorer, encoders) for scorer in scorers)


def _wired(scorer: Scorer, encoders: Encoders) -> Scorer:
    with_device = getattr(scorer, "with_device", None)
    if with_device is not None:
        scorer = with_device(encoders.device)
    reference = getattr(scorer, "encoder_reference", None)
    if reference is None:
        return scorer
    return cast(Scorer, cast(Any, scorer).with_encoder(encoders.of(reference)))


class _Lazy:
    """Implements ``harness.types.Encoder``."""

    def __init__(self, reference: str, device: str) -> None:
        self._reference = reference
        self._device = device

    @property
    def identity(self) -> Mapping[str, str]:
        return self._encoder.identity

    def encode(self, texts: Sequence[str]) -> Any:
        return self._encoder.encode(texts)

    @property
    def limit(self) -> int:
        return self._encoder.limit

    def cut(self, texts: Sequence[str]) -> list[bool]:
        return self._encoder.cut(texts)

    @cached_property
    def _encoder(self) -> Encoder:
        from harness.engines.encoder import SentenceEncoder

        return SentenceEncoder(sources.model_folder(self._reference), device=self._device)
