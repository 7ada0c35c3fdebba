from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from scripted import BASE, Scripted, at_work

from harness.pipeline import Settings
from harness.pipeline.measuring import whole
from harness.pipeline.scoring import score
from harness.store.cache import Cache
from harness.types import (
    RETRIEVED,
    Completion,
    Data,
    Document,
    Metric,
    Request,
    Retriever,
    Sample,
    Score,
    Suite,
    Task,
    Variant,
)


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


class Reader(Scripted):
    """Repeats what it was shown of the corpus."""

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in requests:
            told = request.prompt.messages[-1]["content"]
            yield Completion(request.key, told, 1, 1, 0.01, "stop")


def test_scorers_see_what_the_variant_retrieved(tmp_path: Path) -> None:
    corpus = (Document("d", "Write to jane@b.org about invoices."), Document("e", "No mail."))
    mine = Sample("own", "invoices again", ("yes",), metadata={RETRIEVED: ["nothing"]})
    data = Data((Sample("s", "invoices", ("yes",)), mine), corpus=corpus)
    task = Task("t", data, ["pii_leak"], system="5")
    variants = (Variant("zero", BASE), Variant("rag", BASE, retriever=Retriever(k=1)))
    made = Suite("reader", [task], variants)
    with at_work(made, Settings(), Reader(tmp_path), tmp_path / "cache") as work:
        found = whole(work, made.variants, [])
    rows = found.scores.to_pylist()
    values = {(row["variant"], row["sample_id"]): row["value"] for row in rows}
    assert values == {
        ("zero", "s"): 0.0,
        ("zero", "own"): 0.0,
        ("rag", "s"): 0.0,  # It was shown the address.
        ("rag", "own"): 1.0,
    }


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
