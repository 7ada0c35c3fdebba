"""Custom: a function of your own, in your own file, held to what every scorer is held to."""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from numbers import Real
from typing import Any, overload

from harness.errors import SuiteError, UsageError
from harness.scorers._source import digest
from harness.types import Metric, Sample, Score

Function = Callable[[Sequence[str], Sequence[Sample]], Any]
"""From predictions and their samples to one item for each, in order."""


@dataclass(frozen=True)
class Custom:
    """What ``function(predictions, samples)`` returns, as scores; ``@scorer`` makes one.

    It returns a list (or an array) with one item for each prediction: a number, None (no value),
    a ``Score``, or a mapping from the names of several metrics to any of these. An item that is
    none of them leaves its sample unscored; a function that raises or returns anything else leaves
    all unscored, with a reason that names it.

    A metric without a ``version`` is given the hash of the function's file and of the files beside
    it that this one imports, so that scores of an edited function are not compared with those
    before. What the function reads from elsewhere is not seen: give a ``version`` then. Raises
    SuiteError for what cannot be a scorer.
    """

    function: InitVar[Function | None] = None
    metrics: tuple[Metric, ...] = ()
    needs_target: bool = True
    name: str = field(init=False)

    def __post_init__(self, function: Function | None) -> None:
        if not callable(function) or isinstance(function, type):
            raise SuiteError(
                "Custom needs a function. Write @harness.scorers.scorer above one, or name one of "
                "your files: 'checks.py:brevity'."
            )
        name = getattr(function, "__name__", type(function).__name__)
        if not self.metrics:
            raise SuiteError(f"Custom: '{name}' needs at least one metric.")
        try:
            inspect.signature(function).bind([], [])
        except TypeError as error:
            raise SuiteError(
                f"Custom: '{name}' must take two lists, predictions and samples: {error}."
            ) from error
        for metric in self.metrics:
            _check(metric)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "metrics", _versioned(self.metrics, function, name))
        object.__setattr__(self, "_function", function)

    def __call__(self, predictions: Sequence[str], samples: Sequence[Sample]) -> Any:
        """What the function itself returns."""
        return self._function(predictions, samples)  # type: ignore[attr-defined]

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """The function's items as scores. Lets UsageError through, as it wants a correction."""
        try:
            items = self(list(predictions), [_copied(sample) for sample in samples])
            # Arrays of numpy, torch and pandas.
            items = items.tolist() if hasattr(items, "tolist") else items
        except (UsageError, KeyboardInterrupt):
            raise
        except BaseException as error:
            # Also what no scorer means for the process, such as pytest's skip.
            said = f"raised {type(error).__name__}{self._where(error)}: {error!s:.300}"
            return [self._unscored(said) for _ in samples]
        if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Sequence):
            said = f"returned {_said(items)}, and no list of an item for each prediction"
            return [self._unscored(said) for _ in samples]
        if len(items) != len(samples):
            said = f"returned {len(items)} items for {len(samples)} predictions"
            return [self._unscored(said) for _ in samples]
        return [self._row(item) for item in items]

    def _unscored(self, said: str) -> Mapping[str, Score]:
        return {m.name: Score.unscored(f"{self.name} {said}") for m in self.metrics}

    def _where(self, error: BaseException) -> str:
        # The last frame of the function's own file: below it are those of packages.
        code = getattr(self._function, "__code__", None)  # type: ignore[attr-defined]
        frames = traceback.extract_tb(error.__traceback__)
        own = [f.lineno for f in frames if code is not None and f.filename == code.co_filename]
        return f" (line {own[-1]} of its file)" if own else ""

    def _row(self, item: Any) -> Mapping[str, Score]:
        if isinstance(item, Mapping):
            return {str(name): self._value(value) for name, value in item.items()}
        if len(self.metrics) == 1:
            return {self.metrics[0].name: self._value(item)}
        return self._unscored(
            f"gave {_said(item)} and no mapping of its {len(self.metrics)} metrics"
        )

    def _value(self, item: Any) -> Score:
        if isinstance(item, Score):
            found = Score(None) if item.value is None else self._value(item.value)
            return Score(found.value, found.reason or item.reason)
        if item is None:
            return Score.unscored(f"{self.name} gave no value")
        try:
            # Scalars of numpy and torch are no numbers to Python, or not all of them.
            number = item.item() if hasattr(item, "item") else item
            if isinstance(number, Real):
                return Score(float(number))
        except (ValueError, RuntimeError, OverflowError):
            pass
        return Score.unscored(f"{self.name} gave {_said(item)} where a number belongs")


@overload
def scorer(function: Function, /) -> Custom: ...


@overload
def scorer(
    *,
    definition: str | None = ...,
    name: str | None = ...,
    low: float | None = ...,
    high: float | None = ...,
    higher_is_better: bool = ...,
    binary: bool = ...,
    needs_target: bool = ...,
    version: str = ...,
    metrics: Sequence[Metric] = ...,
) -> Callable[[Function], Custom]: ...


def scorer(
    function: Function | None = None,
    /,
    *,
    definition: str | None = None,
    name: str | None = None,
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    binary: bool = False,
    needs_target: bool = True,
    version: str = "",
    metrics: Sequence[Metric] = (),
) -> Custom | Callable[[Function], Custom]:
    """Decorator that makes a function of predictions and samples a scorer of its name.

    Without ``definition`` the first line of its docstring is the definition. ``low`` and ``high``
    are the least and greatest value it can take (None: unbounded), on which the gate's intervals
    rest; ``binary``: only these two. Or give ``metrics``, several of them, instead.
    """

    def made(function: Function) -> Custom:
        if metrics:
            return Custom(function, tuple(metrics), needs_target)
        own = name or str(getattr(function, "__name__", ""))
        said = definition or _first_line(function)
        if not said:
            raise SuiteError(
                f"Custom: the function '{own}' does not say what it measures. Give it a docstring, "
                'whose first line is the definition, or write @scorer(definition="…") above it.'
            )
        metric = Metric(own, said, higher_is_better, low, high, binary, version)
        return Custom(function, (metric,), needs_target)

    return made if function is None else made(function)


def _copied(sample: Sample) -> Sample:
    """What a function does to it, no other scorer sees."""
    return replace(
        sample, input=copy.deepcopy(sample.input), metadata=copy.deepcopy(sample.metadata)
    )


def _first_line(function: Function) -> str:
    text = inspect.getdoc(function) or ""
    return text.strip().partition("\n")[0]


def _said(item: Any) -> str:
    kind = type(item).__name__
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _check(metric: Metric) -> None:
    low, high = metric.low, metric.high
    if not metric.name or any(c.isspace() or c in "<>" for c in metric.name):
        raise SuiteError(f"Custom: a metric cannot be called '{metric.name}'. Give it a name.")
    if low is not None and high is not None and not low < high:
        raise SuiteError(f"Custom: '{metric.name}' needs low < high, got {low} and {high}.")
    if metric.binary and (low is None or high is None):
        raise SuiteError(f"Custom: '{metric.name}' is binary and needs both low and high.")


def _versioned(metrics: Sequence[Metric], function: Function, name: str) -> tuple[Metric, ...]:
    if all(metric.version for metric in metrics):
        return tuple(metrics)
    try:
        version = f"{name}==sha256:{digest(function)[:16]}"
    except ValueError as error:
        raise SuiteError(
            f"Custom: '{name}' could be edited without anybody seeing it, as {error}. "
            "Define it in a file, or give a version='…' that you change with it."
        ) from error
    return tuple(replace(m, version=m.version or version) for m in metrics)
