"""Names to scorers, by looking at the files of the package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from inspect import isfunction
from types import ModuleType
from typing import Any, cast

import harness.scorers as package
from harness import fingerprints
from harness.errors import SuiteError, UsageError, did_you_mean
from harness.scorers import _file, _options
from harness.scorers._all import (
    fingerprint,
    is_expensive,
    needs_likelihood,
    needs_target,
    prepare,
)
from harness.scorers.custom import Function
from harness.scorers.custom import scorer as custom
from harness.types import Encoder, Likelihood, LikelihoodScorer, Metric, Sample, Score, Scorer


def names() -> list[str]:
    """Every name of a scorer that ``resolve`` knows, sorted. Names of metrics work as well."""
    presets = (name for m in _modules().values() for name in getattr(m, "PRESETS", {}))
    return sorted([*_modules(), *presets])


def resolve(spec: Scorer | Function | str) -> Scorer:
    """A scorer object as it is; the scorer of that name with its default options; for the name of
    a metric (``rouge_l``), its scorer cut down to that metric; a function with a docstring as
    ``custom`` has it; for ``path/to/checks.py:brevity`` what that file calls so.

    Raises UsageError for an unknown name, with the nearest one, and SuiteError for a scorer that
    has no default options.
    """
    if not isinstance(spec, str):
        return _checked(spec)
    if _file.names_a_file(spec):
        return _checked(_file.load(spec))
    if spec in _modules():
        found: Scorer = classes()[spec]()
        return found
    named = _ready()
    if spec in named:
        return named[spec]
    metrics = {metric.name: scorer for scorer in named.values() for metric in scorer.metrics}
    if spec in metrics:
        return only(metrics[spec], spec)
    known = {*names(), *metrics}
    raise UsageError(f"There is no scorer '{spec}'.{did_you_mean(spec, known) or _listed(known)}")


def only(scorer: Scorer, *metrics: str) -> Scorer:
    """The scorer, cut down to some of its metrics. Raises SuiteError for one it does not give."""
    given = [metric.name for metric in scorer.metrics]
    for name in metrics:
        if name not in given:
            raise SuiteError(
                f"{type(scorer).__name__} has no metric '{name}'.{did_you_mean(name, given)}"
            )
    return _Only(scorer, metrics)


def merged(found: Sequence[Scorer]) -> list[Scorer]:
    """The same metrics, with the pieces of one scorer put together, so that ``rouge1`` and
    ``rouge_l`` are one pass, and a scorer that is there twice once. A scorer stands where its
    first piece stood."""
    whole = [one.scorer if isinstance(one, _Only) else one for one in found]
    kept: list[Scorer] = []
    done: set[int] = set()
    for i in range(len(found)):
        if i in done:
            continue
        alike = [i, *(j for j in range(i + 1, len(found)) if _same(whole[i], whole[j]))]
        done.update(alike)
        pieces = [piece for piece in (found[j] for j in alike) if isinstance(piece, _Only)]
        if len(pieces) < len(alike):
            kept.append(whole[i])
        else:
            kept.append(_Only(whole[i], tuple({name: 0 for p in pieces for name in p.wanted})))
    return kept


def _same(one: Scorer, other: Scorer) -> bool:
    if one is other:
        return True
    try:
        if type(one) is not type(other) or not is_dataclass(one) or one != other:
            return False
    except ValueError:
        # A user's own scorer may hold arrays.
        return False
    # To Python, the schemas {"const": 1} and {"const": true} are equal.
    return fingerprint(one) == fingerprint(other) and one.metrics == other.metrics


@cache
def classes() -> Mapping[str, Any]:
    """File name to the one public dataclass in the file that has ``metrics`` and ``score``."""
    found = {}
    for name, module in _modules().items():
        own = [
            value
            for key, value in vars(module).items()
            if isinstance(value, type)
            and is_dataclass(value)
            and value.__module__ == module.__name__
            and not key.startswith("_")
            and hasattr(value, "score")
        ]
        if len(own) != 1:
            raise TypeError(f"{module.__name__} must define one public scorer, has {len(own)}")
        found[name] = own[0]
    return found


@cache
def _modules() -> Mapping[str, ModuleType]:
    files = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in sorted(files)}


@cache
def _ready() -> Mapping[str, Scorer]:
    """Every named scorer that needs no option, the defaults before the presets."""
    found: dict[str, Scorer] = {}
    for name, cls in classes().items():
        try:
            found[name] = cls()
        except SuiteError:
            continue
    for module in _modules().values():
        found.update(getattr(module, "PRESETS", {}))
    return found


def _checked(spec: Any) -> Scorer:
    if isinstance(spec, type):
        raise SuiteError(f"A scorer must be an object: write {spec.__name__}() with parentheses.")
    if isfunction(spec):
        return custom(spec)
    if type(spec) in classes().values():
        _options.check(spec)
    if not hasattr(spec, "metrics") or not callable(getattr(spec, "score", None)):
        raise SuiteError(
            f"A scorer must be a name, a function, or have 'metrics' and 'score', got "
            f"{type(spec).__name__}."
        )
    found: Scorer = spec
    return found


def _listed(known: set[str]) -> str:
    return f" Known: {', '.join(sorted(known))}."


@dataclass(frozen=True)
class _Only:
    """Some of a scorer's metrics."""

    scorer: Scorer
    wanted: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(getattr(self.scorer, "name", type(self.scorer).__name__))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(m for m in self.scorer.metrics if m.name in self.wanted)

    @property
    def expensive(self) -> bool:
        return is_expensive(self.scorer)

    @property
    def needs_target(self) -> bool:
        return needs_target(self.scorer)

    @property
    def needs_likelihood(self) -> bool:
        return needs_likelihood(self.scorer)

    @property
    def fingerprint(self) -> str:
        # What is kept under it holds these metrics and no others.
        return fingerprints.of([fingerprint(self.scorer), self.wanted])

    @property
    def encoder_reference(self) -> str | None:
        return getattr(self.scorer, "encoder_reference", None)

    def with_encoder(self, encoder: Encoder) -> _Only:
        return _Only(cast(Any, self.scorer).with_encoder(encoder), self.wanted)

    def with_device(self, device: str) -> _Only:
        move = getattr(self.scorer, "with_device", None)
        return self if move is None else _Only(move(device), self.wanted)

    def prepare(self) -> None:
        prepare([self.scorer])

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        return self._cut(self.scorer.score(predictions, samples))

    def score_likelihoods(
        self, likelihoods: Sequence[Sequence[Likelihood]]
    ) -> list[Mapping[str, Score]]:
        return self._cut(cast(LikelihoodScorer, self.scorer).score_likelihoods(likelihoods))

    def _cut(self, rows: Sequence[Mapping[str, Score]]) -> list[Mapping[str, Score]]:
        return [{name: row[name] for name in self.wanted} for row in rows]
