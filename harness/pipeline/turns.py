"""Conversations of several turns: each further question after the variant's own answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness import fingerprints
from harness.pipeline import checks
from harness.pipeline.prompting import Conversation
from harness.pipeline.responses import Planned, follow
from harness.types import Completion, Engine, Message


def following(
    planned: Sequence[Planned], completions: Mapping[str, Completion], engine: Engine, turn: int
) -> tuple[list[Planned], dict[str, Completion]]:
    """The answers of turn number ``turn`` (from 2) in the conversations that have one.

    ``planned``: those of the turn before, of one engine. The second value holds failures, by key of
    the request, of conversations that cannot go on because the answer before is missing; they are
    not to be asked for. A retriever is not asked again: the passages are those of the first turn.
    """
    going = [p for p in planned if len(p.whole.follow_ups) >= turn - 1]
    talks = [_longer(p, completions[p.request.key], turn) for p in going]
    prompts = engine.prompts([talk.messages for talk in talks])
    found: list[Planned] = []
    failed: dict[str, Completion] = {}
    for p, talk, prompt in zip(going, talks, prompts, strict=True):
        made = follow(p, checks.later(p.whole)[turn - 2], talk, prompt, engine)
        if completions[p.request.key].text is None:
            key = fingerprints.of(["not asked", made.request.key, p.request.key])
            made = replace(made, request=replace(made.request, key=key))
            why = f"the answer of turn {turn - 1} is missing, so this turn was not asked"
            failed[key] = Completion(key, None, None, 0, 0.0, "error", why)
        found.append(made)
    return found, failed


def _longer(planned: Planned, answer: Completion, turn: int) -> Conversation:
    return replace(
        planned.conversation,
        messages=(
            *planned.conversation.messages,
            Message(role="assistant", content=answer.text or ""),
            Message(role="user", content=planned.whole.follow_ups[turn - 2].input),
        ),
    )
