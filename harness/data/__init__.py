"""Formats in, near-duplicates, splits, and the text of a prompt."""

from harness import fingerprints
from harness.data.duplicates import near_duplicates, normalise
from harness.data.jsonl import documents_from_jsonl, read_jsonl, samples_from_jsonl
from harness.data.split import Dropped, Split, split
from harness.types import Data

__all__ = [
    "Dropped",
    "Split",
    "data_fingerprint",
    "documents_from_jsonl",
    "near_duplicates",
    "normalise",
    "read_jsonl",
    "samples_from_jsonl",
    "split",
]


def data_fingerprint(data: Data) -> str:
    """SHA-256 (hex) of everything a task's data says: samples of both sides and the corpus."""
    return fingerprints.of(data)
