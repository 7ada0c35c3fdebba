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
