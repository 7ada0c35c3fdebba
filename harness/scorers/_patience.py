"""A bound on the time and memory that regular expressions may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.types import Score

SECONDS = 1.0
"""A pattern may need exponential time; after this long an output is given up."""
MOST_GIVEN_UP = 10
"""Then the pattern is at fault: thousands of outputs would take hours to say no more."""


def score_each(texts: Sequence[str], one: Callable[[str], Score], what: str) -> list[Score]:
    """``one(text)`` for every text, each distinct one once. Where it raises TimeoutError or
    MemoryError (of a pattern that calls itself without end) the text is unscored, and after
    ``MOST_GIVEN_UP`` of them so are all that were not yet tried, those that would have been quick
    included: a count decides, not a clock."""
    known: dict[str, Score] = {}
    given_up: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        if len(given_up) == MOST_GIVEN_UP:
            why = " and ".join(dict.fromkeys(given_up.values()))
            known[text] = Score.unscored(
                f"not tried: {what} {why} on {MOST_GIVEN_UP} outputs before"
            )
            continue
        try:
            known[text] = one(text)
        except TimeoutError:
            given_up[text] = f"took longer than {SECONDS:g} s"
        except MemoryError:
            given_up[text] = "took more memory than it may have"
    known |= {text: Score.unscored(f"{what} {why}") for text, why in given_up.items()}
    return [known[text] for text in texts]
