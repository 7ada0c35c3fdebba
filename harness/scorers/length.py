"""Length: how much does the model write?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from harness.types import Metric, Sample, Score


@dataclass(frozen=True)
class Length:
    """``length_words`` and ``length_chars`` of the output: how long it is, not how good.

    No length is better than another by itself. A metric has to have a direction, and this is
    declared as all that an output costs is: lower is better. To keep answers from becoming too
    short, give the guardrail a ``min``.

    Words are what stands between white space (a Japanese sentence is one), characters are
    Unicode code points; white space at the ends is left out.
    """

    needs_target: ClassVar[bool] = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        version = "harness.length==1"
        return tuple(
            Metric(name, definition, False, high=None, version=version)
            for name, definition in (
                ("length_words", "words of the output, as split at white space"),
                (
                    "length_chars",
                    "Unicode code points of the output, white space at its ends left out",
                ),
            )
        )

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """Two counts for each prediction; targets are not looked at. None is unscored."""
        return [
            {
                "length_words": Score(float(len(prediction.split()))),
                "length_chars": Score(float(len(prediction.strip()))),
            }
            for prediction, _ in zip(predictions, samples, strict=True)
        ]
