"""``@evaluate``: a function with asserts, called for each sample and variant, becomes a metric.

A failed assert is a score of 0 and no failed test: what fails is a rule, over all samples.
"""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, cast

import pytest

from harness import fingerprints
from harness.errors import HarnessError, SuiteError
from harness.pytest_plugin.checking import no_rules
from harness.pytest_plugin.items import Check, Ruling, rule_items
from harness.pytest_plugin.naming import Named, rule_name
from harness.pytest_plugin.options import Options
from harness.pytest_plugin.outcomes import aligned
from harness.pytest_plugin.ships import Rules, rule_set
from harness.pytest_plugin.subjects import OPTIONS, Subject, measure
from harness.types import Data, Sample, Score, Suite, Task, Variant

Asserts = Callable[[Sample, str], Any]
Samples = Data | Sequence[Sample] | str | PathLike[str]
Answers = Callable[[Sample], str] | Mapping[str, str]
"""What a variant says: a function of the sample, or recorded answers by sample id."""
Variants = Mapping[str, Answers] | Sequence[Variant]


@dataclass(frozen=True)
class Evaluation:
    """A decorated function. Calling it calls the function."""

    function: Asserts
    samples: Samples
    variants: Variants
    rules: Rules | None
    metric: str
    task: Mapping[str, Any]
    """Further fields of the ``Task`` (system, prompt, …) where variants are measured."""

    @property
    def __name__(self) -> str:
        return str(getattr(self.function, "__name__", "evaluation"))

    def __call__(self, sample: Sample, output: str) -> Any:
        return self.function(sample, output)


def evaluate(
    samples: Samples,
    variants: Variants,
    *,
    rules: Rules | None = None,
    metric: str | None = None,
    **task: Any,
) -> Callable[[Asserts], Evaluation]:
    """Decorator of a function ``(sample, output)`` that asserts what a right output is.

    It is called for every sample and variant. Returning counts 1 (a number between 0 and 1 that
    it returns counts as itself), AssertionError counts 0; ``pytest.skip`` and any other
    exception leave the sample unscored, as an error is no wrong answer.

    ``samples``: Samples, a Data, or the path of a JSONL file (relative to the test's file).
    ``variants``: a mapping from names to functions of a sample (or to answers by sample id), or
    ``harness.Variant`` objects, which are measured; then ``task`` may give fields of the Task
    (``system``, ``prompt``, ``max_new_tokens``). ``rules``: as for ``assert_ships``; their metric
    is ``metric``, by default the function's name without ``test_``. Without rules the one item
    prints the means and passes.
    """

    def made(function: Asserts) -> Evaluation:
        name = metric or str(getattr(function, "__name__", "passes")).removeprefix("test_")
        return Evaluation(function, samples, variants, rules, name, task)

    return made


class EvaluationNode(pytest.Collector):
    """The items of a decorated function."""

    def __init__(self, evaluation: Evaluation, **rest: Any) -> None:
        super().__init__(**rest)
        self.evaluation = evaluation

    def collect(self) -> Iterable[Any]:
        one = self.evaluation
        try:
            rules = None if one.rules is None else rule_set(one.rules, self.path.parent)
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        subject = Subject(
            f"{self.path.stem}.{self.name}",
            rules,
            partial(_measured, self),
            self.config,
            key=_key(self),
        )
        if rules is None:
            yield Measured.from_parent(
                self, name="measured", subject=subject, title=f"{self.name}::measured"
            )
            return
        found = [Named(self.name, rule_name(rule), rule) for rule in rules.rules]
        yield from rule_items(self, subject, found)
        if not found:
            yield Check.from_parent(
                self, name="a rule decides", subject=subject, title=self.name, check=no_rules
            )


class Measured(Ruling):
    """Without rules: measures, and shows the means."""

    def judge(self) -> None:
        from harness.compare import summaries

        found = [s for s in summaries(self.subject.run()) if s.metric != "latency_p50"]
        rows = [("metric", "variant", "mean", "n", "unscored")]
        for s in found:
            mean = "-" if s.estimate is None else f"{s.estimate:.4g}"
            rows.append((s.metric, s.variant, mean, str(s.n), str(s.n_unscored)))
        self.add_report_section("call", "means", "\n".join(aligned(rows, left=2)))


# ------------------------------------------------------------------------------ measuring


def _measured(node: EvaluationNode) -> Path:
    one = node.evaluation
    data = _data(one.samples, node.path.parent)
    if isinstance(one.variants, Mapping):
        return _called(node, data.eval, one.variants)
    return measure(node.config, _suite(node, data))


def _data(samples: Samples, folder: Path) -> Data:
    from harness.data import samples_from_jsonl

    if isinstance(samples, Data):
        return samples
    if isinstance(samples, (str, PathLike)):
        return Data(eval=samples_from_jsonl(folder / Path(samples), require_targets=False))
    return Data(eval=tuple(samples))


def _called(node: EvaluationNode, samples: Sequence[Sample], variants: Mapping[str, Any]) -> Path:
    """The variants' functions called here; their answers and outcomes as an imported run."""
    from harness.store.import_run import import_scores

    chosen = node.config.stash[OPTIONS]
    names = [name for name in variants if not chosen.variants or name in chosen.variants]
    rows = [
        _row(node.evaluation, sample, name, variants[name])
        for name in names
        for sample in _limited(samples, chosen)
    ]
    folder = _folder(node)
    source = folder / "scores.jsonl"
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    source.write_text(text, "utf-8")
    return import_scores(source, folder / "run")[0]


def _limited(samples: Sequence[Sample], chosen: Options) -> Sequence[Sample]:
    """As in a run: drawn, since a file's first rows are seldom typical."""
    from harness.pipeline.inputs import drawn

    return samples if chosen.limit is None else drawn(tuple(samples), chosen.limit, chosen.seed)


def _row(one: Evaluation, sample: Sample, variant: str, answers: Answers) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sample_id": sample.id,
        "variant": variant,
        "task": one.__name__,
        "cluster": sample.cluster,
        "metadata": dict(sample.metadata),
        "input": sample.text,
        "target": sample.targets[0] if sample.targets else None,
    }
    try:
        output = answers[sample.id] if isinstance(answers, Mapping) else answers(sample)
    except Exception as error:
        score = Score.unscored(_said(error, f"variant '{variant}'"))
        output = None
    else:
        score = outcome(one.function, sample, output)
    if score.value is None:
        row["metadata"]["unscored"] = score.reason
    return {**row, "output": output, "scores": {one.metric: score.value}}


def outcome(function: Asserts, sample: Sample, output: Any) -> Score:
    """1, 0, what the function returned, or unscored with a reason."""
    if not isinstance(output, str):
        return Score.unscored(f"the variant answered {type(output).__name__}, not a text")
    try:
        returned = function(sample, output)
    except AssertionError as error:
        return Score(0.0, str(error).partition("\n")[0] or "an assert failed")
    except pytest.skip.Exception as skipped:
        return Score.unscored(f"skipped: {skipped.msg}")
    except Exception as error:
        return Score.unscored(_said(error, str(getattr(function, "__name__", "function"))))
    if returned is None:
        return Score(1.0)
    if isinstance(returned, (bool, int, float)) and 0 <= returned <= 1:
        return Score(float(returned))
    return Score.unscored(f"returned {returned!r:.60}, and not a number from 0 to 1")


def _said(error: BaseException, who: str) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
    return f"{who} raised {type(error).__name__}{where}: {error!s:.200}"


def _suite(node: EvaluationNode, data: Data) -> Suite:
    """Variants that are measured: the function becomes a scorer of the answers."""
    from harness.scorers.custom import scorer

    one = node.evaluation
    variants = cast("list[Variant]", list(one.variants))
    wrong = [v for v in variants if not isinstance(v, Variant)]
    if wrong:
        raise SuiteError(
            f"{node.path}: variants of {node.name} must be a mapping from names to functions, or "
            f"harness.Variant objects, got {type(wrong[0]).__name__}."
        )

    @scorer(
        definition=f"the asserts of {one.__name__} hold",
        name=one.metric,
        needs_target=False,
        version=_version(one),
    )
    def asserts(predictions: Sequence[str], samples: Sequence[Sample]) -> list[Score]:
        pairs = zip(predictions, samples, strict=True)
        return [outcome(one.function, sample, text) for text, sample in pairs]

    task = Task(name=one.__name__, data=data, scorers=[asserts], **one.task)
    rules = None if one.rules is None else rule_set(one.rules, node.path.parent)
    return Suite(name=one.__name__, tasks=[task], variants=variants, rules=rules)


def _version(one: Evaluation) -> str:
    """Asserts that were edited are another metric."""
    from harness.scorers._source import digest

    try:
        return f"{one.__name__}==sha256:{digest(one.function)[:16]}"
    except ValueError as error:
        raise SuiteError(f"{one.__name__} could be edited unseen: {error}.") from error


def _key(node: EvaluationNode) -> str:
    """A file's name for the function: another folder may hold a test of the same names."""
    return f"{node.path.stem}.{node.name}-{fingerprints.of(node.nodeid)[:8]}"


def _folder(node: EvaluationNode) -> Path:
    """An empty folder for this function's run, in pytest's cache: the last run stays there."""
    place = node.config.rootpath / ".pytest_cache"
    if node.config.cache is not None:
        place = node.config.cache.mkdir("harness")
    place = place / _key(node)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place
