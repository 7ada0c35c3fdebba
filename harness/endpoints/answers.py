"""What a chat or text completion says, read from the JSON of a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenLog:
    """One token of an answer, and how likely it and its rivals were."""

    token: str
    log: float
    """Natural logarithm of its probability."""
    rivals: Mapping[str, float]
    """The likeliest tokens at its place with theirs; as many as were asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    """Empty where the model said nothing: that is an answer."""
    finish_reason: str | None
    """``stop`` or ``length``; None where the server does not say."""
    tokens_in: int | None
    tokens_out: int | None
    logs: tuple[TokenLog, ...] = ()


def read_answer(content: Mapping[str, Any]) -> Answer | str:
    """The first choice of a response, or why there is none."""
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "the server answered without a choice"
    choice = choices[0]
    text = _text(choice)
    if text is None:
        return "the server's choice holds no text"
    reason = choice.get("finish_reason")
    if reason in ("content_filter", "tool_calls", "function_call"):
        return f"the server ended the answer with {reason}"
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Answer(
        text,
        _ENDS.get(reason, "stop") if isinstance(reason, str) else None,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _logs(choice.get("logprobs")),
    )


_ENDS = {"length": "length", "max_tokens": "length"}


def _text(choice: Mapping[str, Any]) -> str | None:
    if "text" in choice:
        return choice["text"] if isinstance(choice["text"], str) else None
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    found = message.get("content")
    if found is None:
        # A refusal stands in a field of its own; a model that has only reasoned said nothing.
        found = message.get("refusal") or ""
    return found if isinstance(found, str) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _logs(found: Any) -> tuple[TokenLog, ...]:
    """Of a chat completion (a list of objects) or a text completion (parallel lists)."""
    if not isinstance(found, dict):
        return ()
    try:
        if isinstance(found.get("content"), list):
            return tuple(
                TokenLog(
                    str(one["token"]),
                    float(one["logprob"]),
                    {str(r["token"]): float(r["logprob"]) for r in one.get("top_logprobs") or ()},
                )
                for one in found["content"]
            )
        if isinstance(found.get("tokens"), list):
            return _parallel(found["tokens"], found["token_logprobs"], found.get("top_logprobs"))
    except (KeyError, TypeError, ValueError):
        pass
    return ()


def _parallel(tokens: Sequence[Any], logs: Sequence[Any], tops: Any) -> tuple[TokenLog, ...]:
    tops = tops if isinstance(tops, list) and len(tops) == len(tokens) else [None] * len(tokens)
    return tuple(
        TokenLog(str(token), float(log), {str(k): float(v) for k, v in (top or {}).items()})
        for token, log, top in zip(tokens, logs, tops, strict=True)
    )
