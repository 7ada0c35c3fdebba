"""Real references, and five variants' predictions of which no two are equal.

The references are contract sentences, titles of abstracts and headlines. A variant's predictions
are the references, changed as only this variant changes them, so that nothing can be shared
between two variants but the references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness import sources
from harness.data.jsonl import read_jsonl

EVALS = "pypi:evals==3.0.1.post1/evals/registry/data/"
SENTENCES = (
    EVALS + "ner_finance/samples.jsonl"
    "#sha256=7ffffeec797366ad631b7b57f404c73e437a15e38351895b3f71d1b030f69430"
)
TITLES = (
    EVALS + "abstract2title/samples.jsonl"
    "#sha256=0d782cdccf7d26a07b1b98556a611a0af8693e1c865a70b6089b6822ffa26f8f"
)
HEADLINES = (
    EVALS + "sarcasm/samples.jsonl"
    "#sha256=4cb34ff4d2718da62368440ffe8dece7ece39a46b0fe4d172fdd8a76bc420f46"
)


def references(n: int) -> list[str]:
    """``n`` distinct texts, in equal shares while the kinds last."""
    kinds = [
        texts(SENTENCES, lambda row: row["input"][-1]["content"]),
        texts(TITLES, lambda row: row["ideal"]),
        texts(HEADLINES, lambda row: row["input"][-1]["content"]),
    ]
    found: list[str] = []
    for i in range(max(map(len, kinds))):
        found += [kind[i] for kind in kinds if i < len(kind)]
    if len(found) < n:
        raise SystemExit(f"there are {len(found)} references, not {n}")
    return found[:n]


def abstracts() -> list[str]:
    """254 of them."""
    return texts(TITLES, lambda row: row["input"][-1]["content"])


def texts(reference: str, text: Callable[[dict], str]) -> list[str]:  # type: ignore[type-arg]
    rows = (row for _, row in read_jsonl(sources.fetch(reference)))
    # Of one word there is nothing to leave out or to swap.
    return list(dict.fromkeys(t for t in map(text, rows) if len(t.split()) > 3))


def shortened(text: str, i: int) -> str:
    words = text.split()
    return " ".join(words[: len(words) * 2 // 3]) + f" {i}"


def thinned(text: str, i: int) -> str:
    words = text.split()
    return " ".join(w for k, w in enumerate(words) if (k + i) % 4) + f" and {i}"


def swapped(text: str, i: int) -> str:
    words = text.split()
    pairs = [words[k : k + 2][::-1] for k in range(0, len(words), 2)]
    return f"{i}: " + " ".join(word for pair in pairs for word in pair)


def turned(text: str, i: int) -> str:
    words = text.split()
    middle = len(words) // 2
    return " ".join([*words[middle:], f"({i})", *words[:middle]])


def padded(text: str, i: int) -> str:
    return f"In short, and as number {i} says: {text}"


CHANGES: Sequence[Callable[[str, int], str]] = (shortened, thinned, swapped, turned, padded)


def variants(targets: Sequence[str]) -> list[list[str]]:
    """Five lists of predictions, one for each target."""
    return [[change(text, i) for i, text in enumerate(targets)] for change in CHANGES]
