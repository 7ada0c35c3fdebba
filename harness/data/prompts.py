"""From (task, variant, sample) to the conversation that is sent. Pure functions of text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.errors import DataError
from harness.types import Document, Message, Sample, Task, Variant


def messages(
    task: Task,
    variant: Variant,
    sample: Sample,
    *,
    shots: Sequence[Sample] = (),
    documents: Sequence[Document] = (),
) -> tuple[Message, ...]:
    """The turns of one question: system, a pair a shot, the sample's own turns.

    The system prompt is the variant's; else that of the sample's conversation; else the task's; an
    empty one is none. The last user turn is ``task.prompt`` around the input, and
    ``task.passages`` around that where there are documents (in order, a blank line between).
    Raises DataError for a shot without target and a conversation that does not end with the user.
    """
    own = [m["content"] for m in _conversation(sample) if m["role"] == "system"]
    system = variant.system
    if system is None:
        system = "\n\n".join(own) if own else task.system
    turns = [Message(role="system", content=system)] if system else []
    for shot in shots:
        turns += _turns(task, shot)
        turns.append(Message(role="assistant", content=completion(shot)))
    asked = _turns(task, sample)
    if documents:
        passages = "\n\n".join(document.text for document in documents)
        question = asked[-1]["content"]
        filled = _fill(task.passages, {"documents": passages, "question": question})
        asked[-1] = Message(role="user", content=filled)
    return (*turns, *asked)


def completion(sample: Sample) -> str:
    """What a model is taught to answer: the first target. Raises DataError without one."""
    if not sample.targets:
        raise DataError(f"Sample '{sample.id}' has no target, so it cannot be a solved example.")
    return sample.targets[0]


def _conversation(sample: Sample) -> Sequence[Message]:
    if isinstance(sample.input, str):
        return [Message(role="user", content=sample.input)]
    return sample.input


def _turns(task: Task, sample: Sample) -> list[Message]:
    """The sample's turns but the system's, the last one in the task's prompt."""
    turns = [m for m in _conversation(sample) if m["role"] != "system"]
    if not turns or turns[-1]["role"] != "user":
        raise DataError(f"The messages of sample '{sample.id}' must end with the user's.")
    last = _fill(task.prompt, {"input": turns[-1]["content"]})
    return [*turns[:-1], Message(role="user", content=last)]


def _fill(template: str, values: Mapping[str, str]) -> str:
    # In one pass: a document may hold the text "{question}", and a question any brace.
    names = "|".join(map(re.escape, values))
    return re.sub(rf"\{{({names})\}}", lambda match: values[match[1]], template)
