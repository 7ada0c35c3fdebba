"""Similarity of meaning: the cosine of two sentence vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

from harness import fingerprints
from harness.errors import HarnessError, SuiteError
from harness.scorers._encoder import identity
from harness.scorers._targets import BEST, best_of_targets
from harness.types import Encoder, Metric, Sample, Score

_NAME = "embedding_similarity"


@dataclass(frozen=True)
class EmbeddingSimilarity:
    """``embedding_similarity``: cosine of the sentence vectors of prediction and target (Reimers
    and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks"), from -1
    to 1.

    ``encoder`` is a model reference; there is no default. How it pools, and after how many tokens
    it cuts, its own files say. A text that was cut keeps its value, with a reason that says so.
    An empty prediction or target scores 0. Values depend on the encoder: compare none across
    encoders.

    It is handed the loaded encoder (``with_encoder``); ``harness run`` and ``harness score`` do
    that. Each distinct text of a call is encoded once.
    """

    encoder: str | None = None

    expensive: ClassVar[bool] = True
    _vectors: ClassVar[Encoder | None] = None
    """The loaded encoder, set by ``with_encoder``. No field, as it is no option."""

    def __post_init__(self) -> None:
        if not self.encoder:
            raise SuiteError(
                "EmbeddingSimilarity: name the encoder, such as "
                "encoder='hf:sentence-transformers/all-MiniLM-L6-v2' or a folder."
            )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (
            Metric(
                _NAME,
                "cosine of the sentence vectors of prediction and target, pooled as the encoder's "
                "own files say; 0 if either is empty; texts beyond the encoder's limit are cut and "
                f"said to be; {BEST}",
                low=-1.0,
                version=f"{_versions()}, encoder: {identity(self.encoder)}",
            ),
        )

    @property
    def encoder_reference(self) -> str:
        """The encoder that ``with_encoder`` is to be given."""
        return str(self.encoder)

    def with_encoder(self, encoder: Encoder) -> EmbeddingSimilarity:
        """This scorer, able to score."""
        made = replace(self)
        object.__setattr__(made, "_vectors", encoder)
        return made

    @property
    def fingerprint(self) -> str:
        """SHA-256 over definition, versions and all of the encoder that can change a vector.

        Raises as ``prepare`` does.
        """
        return fingerprints.of([list(self.metrics), dict(self._loaded.identity)])

    def prepare(self) -> None:
        """Fetch and load the encoder. Raises SourceError where it cannot be had, MissingExtra
        without torch."""
        self._loaded.encode(["ready"])

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values for each prediction. All vectors are in memory: 1.5 kB a distinct text with 384
        dimensions."""
        encoder = self._loaded
        given = [
            text
            for prediction, sample in zip(predictions, samples, strict=True)
            for text in (prediction, *sample.targets)
        ]
        texts = [text for text in dict.fromkeys(given) if text.strip()]
        place = {text: i for i, text in enumerate(texts)}
        vectors = encoder.encode(texts) if texts else []
        cut = {text for text, over in zip(texts, encoder.cut(texts), strict=True) if over}
        note = f"cut: only the first {encoder.limit} tokens of a longer text were compared"

        def scores(prediction: str, target: str) -> dict[str, Score]:
            if prediction not in place or target not in place:
                return {_NAME: Score(0.0)}
            value = float(vectors[place[prediction]] @ vectors[place[target]])
            # Rounding puts the cosine of a vector with itself a hair above 1. NaN stays, as the
            # first.
            return {_NAME: Score(min(max(value, -1.0), 1.0))}

        rows = best_of_targets([_NAME], predictions, samples, scores)
        for i, (prediction, sample) in enumerate(zip(predictions, samples, strict=True)):
            if not cut.isdisjoint((prediction, *sample.targets)):
                score = rows[i][_NAME]
                rows[i] = {_NAME: Score(score.value, score.reason or note)}
        return rows

    @property
    def _loaded(self) -> Encoder:
        if self._vectors is None:
            raise HarnessError(
                f"{_NAME} has not been handed its encoder. Where you call scorers yourself, pass "
                "them through harness.pipeline.wiring.wired first."
            )
        return self._vectors


def _versions() -> str:
    found = []
    for package in ("transformers", "torch"):
        try:
            found.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} (not installed)")
    return ", ".join(found)
