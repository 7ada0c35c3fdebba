"""JSON Lines in: one object a line, every mistake named by file and line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError, did_you_mean
from harness.types import Document, Message, Sample, Turn

_SAMPLE_KEYS = (
    *("id", "input", "target", "targets", "ideal", "cluster", "metadata", "follow_ups"),
)
_ROLES = ("system", "user", "assistant")


def read_jsonl(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects of a file; blank lines are passed over.

    Raises DataError for a file that cannot be read, and for a line that is not UTF-8, not JSON,
    not an object, or holds a key twice, NaN, an infinity or a number that overflows to one.
    """
    file = Path(path)
    try:
        with file.open("rb") as lines:
            # Bytes split at \n alone; text would also split at U+2028 inside a string.
            for number, line in enumerate(lines, 1):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if content.strip():
                    yield number, _object(content, f"{file}:{number}")
    except FileNotFoundError as error:
        raise DataError(f"There is no file {file}.") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error


def samples_from_jsonl(path: str | Path, *, require_targets: bool = True) -> tuple[Sample, ...]:
    """Samples of rows ``{"id", "input", "target" | "targets", "cluster"?, "metadata"?,
    "follow_ups"?}``; a follow-up is ``{"input", "target" | "targets"}``.

    ``input`` is a text, or chat messages that end with the user's. OpenAI's
    ``{"input": messages, "ideal": text or list}`` is read as well; its rows may go without an
    id, which is then the line's number. Ids and clusters may be numbers. Raises DataError, with
    file and line, for rows that lack something, say it twice, or have unknown keys, and for a
    file without rows.
    """
    found: list[Sample] = []
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        _no_unknown(row, _SAMPLE_KEYS, where)
        sample = Sample(
            id=_id(row, where, str(number) if "ideal" in row else None, lines, number),
            input=_input(row, where),
            targets=_targets(row, where, require_targets),
            cluster=_cluster(row, where),
            metadata=_metadata(row, where),
            follow_ups=_follow_ups(row, where, require_targets),
        )
        found.append(sample)
    if not found:
        raise DataError(f"{path} holds no samples.")
    return tuple(found)


def documents_from_jsonl(path: str | Path) -> tuple[Document, ...]:
    """Documents of rows ``{"id", "text"}``. Raises DataError, with file and line."""
    found: list[Document] = []
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        _no_unknown(row, ("id", "text"), where)
        name = _id(row, where, None, lines, number)
        if not isinstance(row.get("text"), str):
            raise DataError(f"{where}: 'text' must be a text, got {_shown(row.get('text'))}.")
        found.append(Document(name, row["text"]))
    if not found:
        raise DataError(f"{path} holds no documents.")
    return tuple(found)


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 (byte {error.start} of the line).") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} (column {error.colno}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: each line must be an object {{…}}, got {_shown(value)}.")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{next(k for k in keys if keys.count(k) > 1)}' stands twice")
    return found


def _no_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON; write null for a missing number")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError(f"the number {token} is too large")
    return value


def _no_unknown(row: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in row:
        if key not in known:
            hint = did_you_mean(key, known)
            raise DataError(f"{where}: unknown key '{key}'.{hint} Put other things in 'metadata'.")


def _id(
    row: Mapping[str, Any], where: str, default: str | None, lines: dict[str, int], number: int
) -> str:
    if row.get("id") is None:
        if default is None:
            raise DataError(f"{where}: 'id' is missing.")
        name = default
    else:
        name = _name(row["id"], "id", where)
    if name in lines:
        raise DataError(f"{where}: the id '{name}' is that of line {lines[name]} too.")
    lines[name] = number
    return name


def _name(value: Any, key: str, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise DataError(f"{where}: '{key}' must be a text, got {_shown(value)}.")
    return str(value)


def _cluster(row: Mapping[str, Any], where: str) -> str | None:
    value = row.get("cluster")
    return None if value is None else _name(value, "cluster", where)


def _input(row: Mapping[str, Any], where: str) -> str | tuple[Message, ...]:
    value = row.get("input")
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise DataError(
            f"{where}: 'input' must be a text or a list of chat messages, got {_shown(value)}."
        )
    turns = tuple(_message(turn, where) for turn in value)
    if turns[-1]["role"] != "user":
        raise DataError(
            f"{where}: the last message of 'input' must be the user's, got "
            f"'{turns[-1]['role']}'. What follows it belongs into 'target'."
        )
    return turns


def _message(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict) or set(turn) != {"role", "content"}:
        raise DataError(
            f"{where}: a chat message has the keys 'role' and 'content', got {_shown(turn)}."
        )
    if turn["role"] not in _ROLES:
        hint = did_you_mean(str(turn["role"]), _ROLES)
        raise DataError(f"{where}: unknown role {_shown(turn['role'])}.{hint}")
    if not isinstance(turn["content"], str):
        raise DataError(f"{where}: 'content' must be a text, got {_shown(turn['content'])}.")
    return Message(role=turn["role"], content=turn["content"])


def _targets(row: Mapping[str, Any], where: str, required: bool) -> tuple[str, ...]:
    given = [key for key in ("target", "targets", "ideal") if row.get(key) is not None]
    if len(given) > 1:
        raise DataError(f"{where}: '{given[0]}' and '{given[1]}' are both given. Keep one.")
    value = row[given[0]] if given else []
    many = [value] if isinstance(value, str) and given != ["targets"] else value
    if not isinstance(many, list) or not all(isinstance(item, str) for item in many):
        wanted = {"target": "a text", "targets": "a list of texts"}
        raise DataError(
            f"{where}: '{given[0]}' must be {wanted.get(given[0], 'a text or a list of texts')}, "
            f"got {_shown(value)}."
        )
    if given == ["target"] and not isinstance(value, str):
        raise DataError(f"{where}: several right answers go into 'targets'.")
    if required and not many:
        raise DataError(f"{where}: 'target' is missing: what would a right answer be?")
    return tuple(many)


def _metadata(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    value = row.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError(f"{where}: 'metadata' must be an object, got {_shown(value)}.")
    return value


def _follow_ups(row: Mapping[str, Any], where: str, required: bool) -> tuple[Turn, ...]:
    value = row.get("follow_ups")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise DataError(
            f"{where}: 'follow_ups' must be a list of objects with 'input', got {_shown(value)}."
        )
    found = []
    for number, turn in enumerate(value, 2):
        there = f"{where}, turn {number}"
        _no_unknown(turn, ("input", "target", "targets"), there)
        if not isinstance(turn.get("input"), str):
            raise DataError(f"{there}: 'input' must be a text, got {_shown(turn.get('input'))}.")
        found.append(Turn(turn["input"], _targets(turn, there, required)))
    return tuple(found)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"
