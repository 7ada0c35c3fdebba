"""BERTScore through bert-score: similarity of words in context."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, ClassVar

from harness import fingerprints
from harness.errors import SuiteError
from harness.scorers._targets import BEST, best_of_targets
from harness.types import Metric, Sample, Score

if TYPE_CHECKING:
    from harness.scorers._encoder import Encoder

_WHAT = {"bertscore": "F1", "bertscore_p": "precision", "bertscore_r": "recall"}
_UNKNOWN_LAYER = "bert-score's for the encoder, else its last"


@dataclass(frozen=True)
class BertScore:
    """``bertscore`` (F1), ``bertscore_p``, ``bertscore_r`` (Zhang et al. 2020, "BERTScore:
    Evaluating Text Generation with BERT"), by the package bert-score, without idf weights.

    ``encoder`` is a model reference; None is bert-score's own choice for ``lang``, which comes
    from the hub. ``num_layers`` is the layer whose vectors are compared; None is the one that
    bert-score lists for the encoder, else its last. ``rescale`` maps bert-score's baseline to 0,
    for the encoders it has one of.

    An empty prediction (or target) has a raw value of 0. Texts longer than the encoder's window
    are compared by their beginnings, as bert-score does; such a score carries a reason that says
    so. Values depend on the encoder: compare none across encoders.
    """

    encoder: str | None = None
    num_layers: int | None = None
    lang: str = "en"
    rescale: bool = False
    batch_size: int = 64
    device: str = "auto"
    """``auto`` (the GPU where there is one; in a run the run's own) or a device of torch."""

    expensive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SuiteError(f"BertScore: batch_size must be at least 1, got {self.batch_size}.")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise SuiteError(
                f"BertScore: device is auto, cpu, mps, cuda or cuda:N, got {self.device!r}."
            )
        if self.num_layers is not None and self.num_layers < 1:
            raise SuiteError(f"BertScore: num_layers must be at least 1, got {self.num_layers}.")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        from harness.scorers._encoder import identity, layer_of

        encoder = identity(self.encoder, self.lang)
        layer = self.num_layers or layer_of(self.encoder, self.lang) or _UNKNOWN_LAYER
        scale = f"rescaled with the baseline for '{self.lang}'" if self.rescale else "not rescaled"
        return tuple(
            Metric(
                name,
                f"BERTScore {what}: greedy cosine matching of token vectors (a negative "
                f"cosine counts as 0), no idf, {scale}; "
                f"layer: {layer}; texts beyond the encoder's window are cut and said to be; {BEST}",
                # A rescaled value is negative below the baseline, by how much the encoder decides.
                low=None if self.rescale else 0.0,
                version=f"{_versions()}, encoder: {encoder}",
            )
            for name, what in _WHAT.items()
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over definitions, versions and the encoder's weights (which it fetches).

        Raises as ``prepare`` does.
        """
        from harness.scorers._encoder import folder_of
        from harness.sources import weights_sha256

        weights = weights_sha256(folder_of(self.encoder, self.lang))
        return fingerprints.of([list(self.metrics), weights])

    def with_device(self, device: str) -> BertScore:
        """This scorer there, unless it was told where."""
        return replace(self, device=device) if self.device == "auto" else self

    def prepare(self) -> None:
        """Fetch and load the encoder. Raises MissingExtra without bert-score, SourceError where
        the encoder cannot be had, SuiteError where layer or baseline do not exist."""
        self._load()

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Values for each prediction; each distinct (prediction, target) is computed once."""
        pairs = dict.fromkeys(
            (prediction, target)
            for prediction, sample in zip(predictions, samples, strict=True)
            for target in sample.targets
        )
        encoder = self._load()
        full = [pair for pair in pairs if pair[0].strip() and pair[1].strip()]
        values = encoder.compare(full, self.batch_size)

        def scores(prediction: str, target: str) -> dict[str, Score]:
            # bert-score's rule for empty texts, which it cannot keep itself: it raises.
            found = values.get((prediction, target), encoder.zero)
            return {name: Score(v) for name, v in zip(_WHAT, found, strict=True)}

        rows = best_of_targets(_WHAT, predictions, samples, scores)
        return [
            _noted(row, encoder, [prediction, *sample.targets])
            for row, prediction, sample in zip(rows, predictions, samples, strict=True)
        ]

    def _load(self) -> Encoder:
        from harness.scorers._encoder import folder_of, load

        folder = folder_of(self.encoder, self.lang)
        device = None if self.device == "auto" else self.device
        return load(folder, self.encoder, self.num_layers, self.lang, self.rescale, device)


def _noted(row: Mapping[str, Score], encoder: Encoder, texts: list[str]) -> Mapping[str, Score]:
    if not any(encoder.is_cut(text) for text in texts):
        return row
    note = f"cut: only the first {encoder.window} tokens of a longer text were compared"
    return {name: Score(s.value, s.reason or note) for name, s in row.items()}


def _versions() -> str:
    found = []
    for package in ("bert-score", "transformers"):
        try:
            found.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} (not installed)")
    return ", ".join(found)
