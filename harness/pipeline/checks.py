"""Data made in Python held to what a data file is held to, before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness import fingerprints
from harness.data import normalise
from harness.errors import DataError, did_you_mean
from harness.types import Data, Document, Message, Sample, Turn

ROLES = ("system", "user", "assistant")


def checked(task: str, data: Data) -> Data:
    """``data`` with its three parts as tuples.

    Raises DataError naming task, sample and remedy for a part that is no tuple or list, a sample
    or document of wrong types, metadata that is no JSON object, an id that stands twice.
    """
    parts: dict[str, tuple[Any, ...]] = {}
    for name, kind, what in (
        ("eval", Sample, "evaluation sample"),
        ("train", Sample, "training sample"),
        ("corpus", Document, "document"),
    ):
        items = getattr(data, name)
        if not isinstance(items, (tuple, list)):
            # A generator would be empty when it is read again.
            raise DataError(
                f"Task '{task}': Data's {name} must be a tuple or list of {kind.__name__}s, got "
                f"{_shown(items)}. Write tuple(...) around it."
            )
        for number, item in enumerate(items, 1):
            _check_item(item, kind, f"Task '{task}', {what}", number)
        _check_ids(task, what, [item.id for item in items])
        if name == "train" and any(item.follow_ups for item in items):
            first = next(item.id for item in items if item.follow_ups)
            raise DataError(
                f"Task '{task}': the training sample '{first}' has follow_ups, which training "
                "would leave out. Make a sample of each turn, with those before it in its input."
            )
        if name == "eval":
            _check_ids(task, what, [i.id for item in items for i in (item, *later(item))])
        parts[name] = tuple(items)
    return Data(**parts)


def later(sample: Sample) -> list[Sample]:
    """The rows of the sample's follow-ups. Their input is what the user says up to there: the
    answers between differ from variant to variant."""
    own = sample.input
    said = [Message(role="user", content=own)] if isinstance(own, str) else list(own)
    found = []
    for number, turn in enumerate(sample.follow_ups, 2):
        said.append(Message(role="user", content=turn.input))
        found.append(
            Sample(
                id=f"{sample.id}@{number}",
                input=tuple(said),
                targets=turn.targets,
                cluster=sample.cluster or sample.id,
                metadata=sample.metadata,
            )
        )
    return found


def rows(samples: Sequence[Sample]) -> int:
    """Answers of one variant to these samples, follow-ups included."""
    return sum(1 + len(sample.follow_ups) for sample in samples)


def refuse_overlap(task: str, data: Data, why: str) -> None:
    """Raise DataError where a question of the evaluation is one of the training data too.

    Questions are compared turn by turn, normalised. ``why``: who would have seen the answer.
    """
    known = {_question(sample): sample.id for sample in reversed(data.train)}
    shared = [(s.id, known[q]) for s in data.eval if (q := _question(s)) in known]
    if shared:
        first, same = shared[0]
        raise DataError(
            f"Task '{task}': {len(shared)} of {len(data.eval)} evaluation samples ask what a "
            f"training sample asks (first: '{first}', as training sample '{same}'), and {why}. "
            "Its scores would be those of memory. Make the parts with harness.data.split, which "
            "keeps them apart."
        )


def _question(sample: Sample) -> tuple[tuple[str, str], ...]:
    if isinstance(sample.input, str):
        return (("user", normalise(sample.input)),)
    return tuple((turn["role"], normalise(turn["content"])) for turn in sample.input)


def _check_item(item: Any, kind: Any, what: str, number: int) -> None:
    if not isinstance(item, kind):
        raise DataError(f"{what} number {number}: must be a {kind.__name__}, got {_shown(item)}.")
    if not isinstance(item.id, str) or not item.id:
        raise DataError(
            f"{what} number {number}: id must be a text that is not empty, got {_shown(item.id)}."
        )
    where = f"{what} '{item.id}'"
    if kind is Sample:
        _check_input(item.input, where)
        _check_targets(item.targets, where)
        _check_cluster(item.cluster, where)
        _check_metadata(item.metadata, where)
        _check_follow_ups(item.follow_ups, where)
    elif not isinstance(item.text, str):
        raise DataError(f"{where}: text must be a text, got {_shown(item.text)}.")


def _check_input(given: Any, where: str) -> None:
    if isinstance(given, str):
        return
    if not isinstance(given, (tuple, list)) or not given:
        raise DataError(
            f"{where}: input must be a text, or a tuple of chat messages, got {_shown(given)}."
        )
    for turn in given:
        if not isinstance(turn, Mapping) or set(turn) != {"role", "content"}:
            raise DataError(
                f"{where}: a chat message has the keys 'role' and 'content', got {_shown(turn)}."
            )
        if turn["role"] not in ROLES:
            hint = did_you_mean(str(turn["role"]), ROLES)
            raise DataError(f"{where}: unknown role {_shown(turn['role'])}.{hint}")
        if not isinstance(turn["content"], str):
            raise DataError(f"{where}: content must be a text, got {_shown(turn['content'])}.")
    if given[-1]["role"] != "user":
        raise DataError(
            f"{where}: the last message must be the user's, got '{given[-1]['role']}'. What "
            "follows it belongs into targets."
        )


def _check_targets(given: Any, where: str) -> None:
    if isinstance(given, str):
        raise DataError(
            f"{where}: targets must be a tuple of texts, got the text {_shown(given)}, whose "
            f"letters would each count as right. Write targets=({_shown(given)},)."
        )
    if not isinstance(given, (tuple, list)) or not all(isinstance(t, str) for t in given):
        raise DataError(
            f"{where}: targets must be a tuple of texts, got {_shown(given)}. Write str(...) "
            "around what is none."
        )


def _check_follow_ups(given: Any, where: str) -> None:
    if not isinstance(given, (tuple, list)) or not all(isinstance(t, Turn) for t in given):
        raise DataError(f"{where}: follow_ups must be a tuple of Turns, got {_shown(given)}.")
    for number, turn in enumerate(given, 2):
        if not isinstance(turn.input, str):
            raise DataError(
                f"{where}, turn {number}: input must be a text, got {_shown(turn.input)}."
            )
        _check_targets(turn.targets, f"{where}, turn {number}")


def _check_cluster(given: Any, where: str) -> None:
    if given is not None and (not isinstance(given, str) or not given):
        raise DataError(
            f"{where}: cluster must be None or a text that is not empty, got {_shown(given)}. "
            "Write str(...) around a number."
        )


def _check_metadata(given: Any, where: str) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise DataError(
            f"{where}: metadata must be a dict whose keys are texts, got {_shown(given)}."
        )
    for key, value in given.items():
        try:
            json.dumps(fingerprints.plain(value), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"{where}: metadata '{key}' must be JSON (texts, finite numbers, lists, dicts), "
                f"got {_shown(value)}. Write str(...) around it, or leave it out."
            ) from error


def _check_ids(task: str, what: str, ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
    raise DataError(f"Task '{task}': two {what}s have the id '{twice}'. Ids must be unique.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
