"""Whether two tools did the same work: the same prompt tokens, the same answers, the same score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Check:
    """One tool's answers to one variant, beside those of this package."""

    same_prompts: bool
    """The token ids of every prompt, not only their number."""
    same_answers: float
    """Share of answers that are the same text; in bf16 they depend on the rows of the batch."""
    exact_match: float
    own_exact_match: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def exact_match(texts: Mapping[str, str], targets: Mapping[str, str]) -> float:
    """One definition for every tool: white space at the ends stripped, case kept."""
    return sum(texts[key].strip() == targets[key] for key in targets) / len(targets)


def check(
    texts: Mapping[str, str],
    own: Mapping[str, str],
    targets: Mapping[str, str],
    tokens: Sequence[Sequence[object]],
    own_ids: Sequence[Sequence[int]],
) -> Check:
    """``tokens``: count and hash of each prompt's ids, in the order of ``own_ids``."""
    same = sum(texts[key].strip() == own[key].strip() for key in own) / len(own)
    expected = [
        [len(ids), hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()] for ids in own_ids
    ]
    return Check(
        same_prompts=[list(t) for t in tokens] == expected,
        same_answers=same,
        exact_match=exact_match(texts, targets),
        own_exact_match=exact_match(own, targets),
    )
