"""Where a model that thinks aloud begins to answer."""

from __future__ import annotations

_BEGIN, _END = "<think>", "</think>"


def answer_of(text: str) -> str:
    """What follows the last ``</think>``; empty where a ``<think>`` is not closed."""
    answer = text.rpartition(_END)[2]
    return "" if _BEGIN in answer else answer
