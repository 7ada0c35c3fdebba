"""The noise floor: what a few second answers say of it, and when it is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import SUPERIOR, Scripted, at_work, rules, suite

from harness.pipeline.measuring import whole
from harness.pipeline.noise import FEW
from harness.pipeline.session import Settings
from harness.store.runs import Run
from harness.types import Completion, Request

N = 100


class Fickle(Scripted):
    """Every second answer to a request is wrong for one sample in three, as if by its batch."""

    def __init__(self, folder: Path, **identity: str) -> None:
        super().__init__(folder)
        self.identity |= {"precision": "bf16", **identity}
        self.before: set[str] = set()

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request, found in zip(requests, super().complete(requests), strict=True):
            number = int(request.prompt.messages[-1]["content"])
            twice = request.key in self.before
            self.before.add(request.key)
            yield replace(found, text="no") if twice and number % 3 == 0 else found


def run(folder: Path, engine: Scripted, margin: float = 0.0) -> Run:
    made = suite({"zero": "99", "few": "100"}, rules("few", {**SUPERIOR, "margin": margin}), n=N)
    with at_work(made, Settings(), engine, folder) as work:
        return whole(work, made.variants, [])


def test_the_floor_is_what_second_answers_change(tmp_path: Path) -> None:
    engine = Fickle(tmp_path)
    noise = run(tmp_path, engine).manifest["noise"]["t"]
    assert noise["asked"] == FEW
    assert len(engine.asked) == 2 * N + FEW
    asked = [int(question) for _, question, _ in engine.asked[2 * N :]]
    assert noise["changed"] == sum(number % 3 == 0 for number in asked) > 0
    assert noise["metrics"] == {
        "exact_match": pytest.approx(2 * math.sqrt(noise["changed"] / FEW / N))
    }


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = run(tmp_path, Fickle(tmp_path))
    engine = Fickle(tmp_path)
    assert run(tmp_path, engine).manifest["noise"] == first.manifest["noise"]
    assert engine.asked == []


@pytest.mark.parametrize(("margin", "told"), [(0.01, True), (0.5, False)])
def test_a_margin_below_the_floor_is_warned_of(tmp_path: Path, margin: float, told: bool) -> None:
    warnings = run(tmp_path, Fickle(tmp_path), margin).manifest["warnings"]
    assert any("below the noise floor" in text for text in warnings) is told


@pytest.mark.parametrize("identity", [{"precision": "fp32"}, {"deterministic": "yes"}])
def test_an_engine_without_such_noise_is_asked_once(
    tmp_path: Path, identity: dict[str, str]
) -> None:
    engine = Fickle(tmp_path, **identity)
    assert run(tmp_path, engine).manifest.get("noise") is None
    assert len(engine.asked) == 2 * N
