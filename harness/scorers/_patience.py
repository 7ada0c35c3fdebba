"""A bound on the time that regular expressions may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.types import Score

SECONDS = 1.0
"""A pattern may need exponential time; after this long an output is given up."""
MOST_GIVEN_UP = 10
"""Then the pattern is at fault: thousands of outputs would take hours to say no more."""


def score_each(texts: Sequence[str], one: Callable[[str], Score], what: str) -> list[Score]:
    """``one(text)`` for every text, each distinct one once. Where it raises TimeoutError the text
    is unscored, and after ``MOST_GIVEN_UP`` of them so are all that were not yet tried, those that
    would have been quick included: a count decides, not a clock."""
    known: dict[str, Score] = {}
    given_up = 0
    for text in dict.fromkeys(texts):
        if given_up == MOST_GIVEN_UP:
            known[text] = Score.unscored(
                f"not tried: {what} took longer than {SECONDS:g} s on {given_up} outputs before"
            )
            continue
        try:
            known[text] = one(text)
        except TimeoutError:
            given_up += 1
            known[text] = Score.unscored(f"{what} took longer than {SECONDS:g} s")
    return [known[text] for text in texts]
