"""The encoder behind BERTScore: found, loaded once, and asked for pairs of texts."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import MissingExtra, SourceError, SuiteError
from harness.models import require_torch
from harness.scorers import _matching
from harness.scorers._matching import Pair, encodable

Triple = tuple[float, float, float]
"""F1, precision, recall."""

# The hub has moved the models that bert-score names without an owner.
_OWNERS = {
    "roberta-large": "FacebookAI",
    "bert-base-multilingual-cased": "google-bert",
    "bert-base-chinese": "google-bert",
}

DRAWS = 20
"""Names of a temporary folder that are tried; one in 200 has an unwelcome pair of letters."""

_folders: dict[str, Path] = {}
"""Where encoders were found: the folder of a converted one is not where its reference leads."""


@dataclass(frozen=True)
class Encoder:
    """A loaded bert-score scorer and what it leaves unsaid."""

    scorer: Any
    window: int
    """Tokens of a text that it reads, special ones included."""
    zero: Triple
    """A raw value of 0: itself 0, but for a rescaled scorer."""
    _cut: dict[str, bool] = field(default_factory=dict)

    def compare(self, pairs: Sequence[Pair], batch_size: int) -> dict[Pair, Triple]:
        """Values of (prediction, target) pairs, neither side empty."""
        found = _matching.compare(self.scorer, pairs, batch_size)
        return {pair: self._within((f, p, r)) for pair, (p, r, f) in found.items()}

    def is_cut(self, text: str) -> bool:
        """Whether the encoder reads only the beginning of ``text``."""
        # No tokenizer makes more tokens than bytes; most texts need no second tokenising.
        if len(text.encode("utf-8", "surrogatepass")) + 2 <= self.window:
            return False
        if text not in self._cut:
            ids = self.scorer._tokenizer.encode(encodable(text).strip(), add_special_tokens=True)
            self._cut[text] = len(ids) > self.window
        return self._cut[text]

    def _within(self, triple: Triple) -> Triple:
        # Rounding puts the cosine of a vector with itself a hair above 1. NaN stays, as the first.
        f, p, r = (min(max(v, low), 1.0) for v, low in zip(triple, self.zero, strict=True))
        return f, p, r


def folder_of(encoder: str | None, lang: str) -> Path:
    """The encoder's folder, fetched. Raises SourceError, MissingExtra."""
    from harness.sources import model_folder

    if encoder is not None:
        _folders[encoder] = model_folder(encoder)
        return _folders[encoder]
    name = _default(lang)
    try:
        return model_folder(_reference(name))
    except SourceError as error:
        raise SourceError(
            f"BERTScore's encoder for the language '{lang}' is {name}, which cannot be had here. "
            f"Name one that can with encoder=… (--encoder). {error}"
        ) from error


def identity(encoder: str | None, lang: str = "en") -> str:
    """What to call an encoder so that the same one has the same name everywhere: the reference,
    but for a local folder the hash of its weights. None is bert-score's own for ``lang``, which
    has a name once bert-score was imported. Fetches nothing and raises nothing."""
    from harness.sources import fetch, parse, weights_sha256

    if encoder is None:
        if "bert_score" not in sys.modules:
            return f"bert-score's own for the language '{lang}'"
        return _reference(_default(lang))
    try:
        if parse(encoder).kind == "path":
            return f"weights with SHA-256 {weights_sha256(fetch(encoder))}"
    except SourceError:
        pass
    return encoder


def layer_of(encoder: str | None, lang: str) -> int | None:
    """The layer that is compared where none is asked for: the one that bert-score lists for the
    encoder, else its last. Always known after ``folder_of``; None where it would have to be
    fetched, or bert-score imported that nobody asked for. Fetches and raises nothing."""
    from harness.sources import fetched

    if encoder is None and "bert_score" not in sys.modules:
        return None
    try:
        names = _hub_names(encoder, lang)
        listed = _listed(names)
        if listed is not None:
            return listed
        for folder in (fetched(encoder or _reference(names[0])), _folders.get(encoder or "")):
            if folder is not None and (folder / "config.json").is_file():
                return _last(_config(folder))
    except (MissingExtra, SourceError, SuiteError, OSError, ValueError):
        pass
    return None


@lru_cache(maxsize=1)
def load(
    folder: Path,
    encoder: str | None,
    num_layers: int | None,
    lang: str,
    rescale: bool,
    device: str | None = None,
) -> Encoder:
    """Load the encoder, onto the GPU where there is one and ``device`` does not say otherwise.

    Raises MissingExtra, SourceError (it does not load), SuiteError (no such layer or baseline).
    """
    bert_score = _bert_score()
    config = _config(folder)
    names = _hub_names(encoder, lang)
    layer = num_layers or _listed(names) or _last(config)
    try:
        with _safe_name(folder, config) as path:
            scorer = bert_score.BERTScorer(
                model_type=path,
                num_layers=layer,
                lang=lang,
                device=device,
                rescale_with_baseline=rescale,
                baseline_path=_baseline(names, lang) if rescale else None,
            )
    except AssertionError as error:
        raise SuiteError(f"BertScore: num_layers={layer} does not fit: {error}") from error
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"The encoder in {folder} could not be loaded: {error}") from error
    window = _window(scorer, config)
    # bert-score cuts at this length; some tokenizers leave it unset, and the model then fails.
    scorer._tokenizer.model_max_length = window
    zero: Triple = (0.0, 0.0, 0.0)
    if rescale:
        p, r, f = (float(-b / (1 - b)) for b in scorer.baseline_vals)
        zero = (f, p, r)
    return Encoder(scorer, window, zero)


def _bert_score() -> Any:
    # Before bert-score imports torch: it also sets torch up for shared cores.
    require_torch()
    try:
        import bert_score
    except ImportError as error:
        raise MissingExtra("bert-score", "local", "The scorer 'bertscore'") from error
    return bert_score


def _default(lang: str) -> str:
    _bert_score()
    from bert_score.utils import lang2model

    return str(lang2model[lang.lower()])


def _reference(name: str) -> str:
    return f"hf:{_OWNERS[name]}/{name}" if name in _OWNERS else f"hf:{name}"


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


def _hub_names(encoder: str | None, lang: str) -> list[str]:
    """Names under which bert-score may list the encoder; none for files that are not the hub's."""
    from harness.sources import parse

    if encoder is None:
        return [_default(lang)]
    reference = parse(encoder)
    return [reference.name, reference.name.split("/")[-1]] if reference.kind == "hf" else []


def _listed(names: list[str]) -> int | None:
    if not names:
        return None
    _bert_score()
    from bert_score.utils import model2layers

    return next((int(model2layers[name]) for name in names if name in model2layers), None)


def _last(config: dict[str, Any]) -> int:
    for key in ("num_hidden_layers", "n_layers", "num_layers"):
        if isinstance(config.get(key), int):
            return int(config[key])
    raise SuiteError("BertScore: the encoder does not say how many layers it has. Set num_layers.")


def _baseline(names: list[str], lang: str) -> str:
    import bert_score

    folder = Path(bert_score.__file__).parent / "rescale_baseline" / lang
    for name in names:
        if (folder / f"{name}.tsv").is_file():
            return str(folder / f"{name}.tsv")
    raise SuiteError(
        f"BertScore: bert-score has no baseline of this encoder for the language '{lang}'. "
        "Use rescale=False."
    )


def _window(scorer: Any, config: dict[str, Any]) -> int:
    window = int(scorer._tokenizer.model_max_length)
    positions = config.get("max_position_embeddings")
    if positions and window > positions:
        # RoBERTa's positions begin after its padding index.
        offset = int(config.get("pad_token_id") or 0) + 1
        window = positions - offset if "roberta" in config.get("model_type", "") else positions
    return window


@contextmanager
def _safe_name(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """A path to the folder that bert-score does not mistake: whatever has "t5" anywhere in its
    path it loads as a T5 model, which gives another model random weights."""
    is_t5 = "t5" in str(config.get("model_type"))
    if ("t5" in str(folder)) == is_t5:
        yield str(folder)
        return
    name = "t5" if is_t5 else "encoder"
    for _ in range(DRAWS):
        with tempfile.TemporaryDirectory() as parent:
            link = Path(parent) / name
            # The random part of the parent's name may hold the two letters as well.
            if ("t5" in str(link)) == is_t5:
                link.symlink_to(folder.absolute(), target_is_directory=True)
                yield str(link)
                return
    raise SourceError(
        "bert-score takes every path with 't5' in it for a T5 model, and "
        f"'{tempfile.gettempdir()}' has it. Set TMPDIR to another folder."
    )
