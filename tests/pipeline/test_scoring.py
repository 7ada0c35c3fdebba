from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from harness.pipeline.scoring import score
from harness.store.cache import Cache
from harness.types import Metric, Sample, Score


@dataclass
class Nosy:
    """Expensive, and looks at all of a sample."""

    asked: list[Sample] = field(default_factory=list)
    expensive: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("nosy", "for this test", high=None),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        self.asked += samples
        return [{"nosy": Score(float(len(str(s.input)) + len(s.metadata)))} for s in samples]


FIRST = Sample("a", "question", ("t",))


@pytest.mark.parametrize(
    "other",
    [
        Sample("a", "another question", ("t",)),
        Sample("a", ({"role": "user", "content": "question"},), ("t",)),
        Sample("a", "question", ("u",)),
        Sample("a", "question", ("t",), metadata={"rubric": "strict"}),
    ],
)
def test_a_kept_score_belongs_to_the_whole_sample(tmp_path: Path, other: Sample) -> None:
    with Cache.open(tmp_path / "c") as cache:
        scorer = Nosy()
        score([scorer], ["same"], [FIRST], cache)
        score([scorer], ["same"], [FIRST], cache)
        assert scorer.asked == [FIRST], "kept for the same sample"
        (row,) = score([scorer], ["same"], [other], cache)
    assert scorer.asked == [FIRST, other]
    assert row["nosy"].value == len(str(other.input)) + len(other.metadata)


@dataclass
class Interrupted(Nosy):
    """Is stopped in its third call."""

    calls: list[int] = field(default_factory=list)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        self.calls.append(len(samples))
        if len(self.calls) == 3:
            raise KeyboardInterrupt
        return super().score(predictions, samples)


def test_an_interruption_loses_one_part_at_most(tmp_path: Path) -> None:
    asked = [Sample(str(i), "question", (str(i % 1500),)) for i in range(6000)]
    predictions = [f"answer {i}" for i in range(6000)]
    with Cache.open(tmp_path / "c") as cache:
        scorer = Interrupted()
        with pytest.raises(KeyboardInterrupt):
            score([scorer], predictions, asked, cache)
        rows = score([scorer], predictions, asked, cache)
    assert [row["nosy"].value for row in rows] == [8.0] * 6000
    assert sum(scorer.calls[:2]) + sum(scorer.calls[3:]) == 6000 == len(scorer.asked)
    for start, length in zip((0, scorer.calls[0]), scorer.calls, strict=False):
        part = {s.targets for s in scorer.asked[start : start + length]}
        rest = scorer.asked[:start] + scorer.asked[start + length :]
        assert part.isdisjoint(s.targets for s in rest), "those of a target share a part"
