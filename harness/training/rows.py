"""Training rows: the prompt exactly as in evaluation, then the answer, then the end token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import models
from harness.errors import PreflightError
from harness.types import Prompt

IGNORE = -100
"""Label of tokens that carry no loss (PyTorch's cross-entropy default)."""


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn. ``prompt`` comes from the engine that will evaluate, so that the
    template and the system prompt are the same by construction."""

    id: str
    prompt: Prompt
    completion: str


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids and labels of one example, equally long; prompt labels are ``IGNORE``."""

    id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


def build_rows(
    examples: Sequence[Example], tokenizer: Any, ends: frozenset[int], max_length: int
) -> list[Row]:
    """Tokenise examples; no row is cut or left out.

    Raises PreflightError for a row longer than ``max_length``, for a template that rewrites the
    prompt once the answer follows, and for an answer whose end token would carry no loss: the
    model would never learn to stop.
    """
    rows = [_row(e, tokenizer, ends) for e in examples]
    long = [r for r in rows if len(r.input_ids) > max_length]
    if long:
        longest = max(long, key=lambda r: len(r.input_ids))
        raise PreflightError(
            f"{len(long)} of {len(rows)} training rows are longer than max_length = {max_length} "
            f"(longest: '{longest.id}', {len(longest.input_ids)} tokens). Rows are never cut: "
            "raise max_length in the [adapter] recipe, or take the rows out of the training data."
        )
    return rows


def _row(example: Example, tokenizer: Any, ends: frozenset[int]) -> Row:
    try:
        closed = models.closed(tokenizer, example.prompt, example.completion, ends)
    except PreflightError as error:
        raise PreflightError(f"Training row '{example.id}': {error}") from error
    if closed.end is None:
        raise PreflightError(
            f"No end token in the labels of training row '{example.id}': the chat template closes "
            "the answer with a token that the model's generation settings do not stop at. "
            "Add it to eos_token_id in generation_config.json."
        )
    # What the template puts after the end token is never generated, so it is not learnt.
    ids = closed.ids[: closed.end + 1]
    prompt_ids = list(example.prompt.tokens or ())
    return Row(example.id, (*prompt_ids, *ids), (*[IGNORE] * len(prompt_ids), *ids))
