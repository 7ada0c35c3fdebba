"""How likely the targets are: asked for where a scorer wants it, kept, and put beside the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import Scripted, an_adapter, at_work, suite

from harness.pipeline.measuring import whole
from harness.pipeline.session import Settings
from harness.store.runs import Run
from harness.types import Forced, Likelihood, Suite


class Forcing(Scripted):
    """Finds every target of n bytes n/2 nats unlikely, with an adapter n/4; sample 7 fails."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.forced: list[tuple[str, str, str | None]] = []

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        for r in reversed(requests):
            system, question = (m["content"] for m in r.prompt.messages)
            self.forced.append((system, question, r.adapter))
            if question == "7":
                yield Likelihood(r.key, None, None, 0, 0, "prompt and target too long")
                continue
            n = len(r.target)
            yield Likelihood(r.key, -n / (4 if r.adapter else 2), -1.0, n, n)


def a_suite(tmp_path: Path, scorers: list[str]) -> Suite:
    made = suite({"zero": "0", "adapter": "0"}, None, n=40, adapter=an_adapter(tmp_path / "a"))
    return replace(made, tasks=[replace(t, scorers=scorers) for t in made.tasks])


def measured(tmp_path: Path, engine: Scripted, scorers: list[str]) -> Run:
    made = a_suite(tmp_path, scorers)
    with at_work(made, Settings(), engine, tmp_path) as work:
        return whole(work, made.variants, [])


def value(run: Run, variant: str, sample: str, metric: str) -> tuple[float | None, str | None]:
    (row,) = [
        r
        for r in run.scores.to_pylist()
        if (r["variant"], r["sample_id"], r["metric"]) == (variant, sample, metric)
    ]
    return row["value"], row["reason"]


def test_each_variant_is_asked_and_gets_its_own(tmp_path: Path) -> None:
    run = measured(tmp_path, Forcing(tmp_path), ["exact_match", "perplexity"])
    assert value(run, "zero", "s003", "perplexity")[0] == pytest.approx(math.exp(1 / 2))
    assert value(run, "adapter", "s003", "perplexity")[0] == pytest.approx(math.exp(1 / 4))
    bits = 3 / 4 / 3 / math.log(2)
    assert value(run, "adapter", "s003", "bits_per_byte")[0] == pytest.approx(bits)
    assert value(run, "zero", "s007", "perplexity") == (None, "prompt and target too long")
    assert value(run, "adapter", "s003", "exact_match")[0] == 1.0


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    first, again = Forcing(tmp_path), Forcing(tmp_path)
    one = measured(tmp_path, first, ["bits_per_byte"])
    two = measured(tmp_path, again, ["bits_per_byte"])
    assert len(first.forced) == 80
    assert [question for _, question, _ in again.forced] == ["7", "7"], "what failed is tried again"
    assert one.scores.to_pylist() == two.scores.to_pylist()


def test_an_engine_is_not_asked_where_no_scorer_wants_it(tmp_path: Path) -> None:
    engine = Forcing(tmp_path)
    measured(tmp_path, engine, ["exact_match"])
    assert engine.forced == []


def test_an_engine_that_loses_one_stops_the_run(tmp_path: Path) -> None:
    class Losing(Forcing):
        def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
            yield from list(super().likelihoods(requests))[1:]

    with pytest.raises(RuntimeError, match="no likelihood for 1 requests"):
        measured(tmp_path, Losing(tmp_path), ["perplexity"])
