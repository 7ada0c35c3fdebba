"""ROUGE of five variants on the same samples, beside rouge-score called once a variant.

    python benchmarks/scoring_rouge.py [--n 2000] [--repeats 3] [--stemmer] [--cores N]
        [--abstracts [--lines]]

The texts are those of ``scoring_texts.py``; ``--abstracts`` takes abstracts of papers instead,
each against the next ones, with ``--lines`` a line for each sentence. Plain is
``RougeScorer(types).score(target, prediction)`` for each pair in one process, as people call it.
The sides take turns; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import scoring_texts
from rouge_score.rouge_scorer import RougeScorer

from harness.scorers import Rouge
from harness.types import Sample

NAMES = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l", "rougeLsum": "rouge_lsum"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stemmer", action="store_true")
    parser.add_argument("--abstracts", action="store_true")
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("--cores", type=int)
    options = parser.parse_args()
    if options.cores:
        os.environ["LOKY_MAX_CPU_COUNT"] = str(options.cores)
    if options.abstracts:
        targets = scoring_texts.abstracts()[: options.n]
        if options.lines:
            targets = [text.replace(". ", ".\n") for text in targets]
        variants = [targets[k:] + targets[:k] for k in range(1, 6)]
    else:
        targets = scoring_texts.references(options.n)
        variants = scoring_texts.variants(targets)
    distinct = {pair for one in variants for pair in zip(one, targets, strict=True)}
    print(f"{len(targets)} references, {len(variants)} variants, {len(distinct)} distinct pairs")

    ours, plain = Rouge(stemmer=options.stemmer), RougeScorer(list(NAMES), options.stemmer)
    samples = [Sample(str(i), "", (target,)) for i, target in enumerate(targets)]
    seconds: dict[str, list[float]] = {"rouge-score": [], "harness": []}
    worst = 0.0
    for _ in range(options.repeats):
        started = time.perf_counter()
        theirs = [
            plain.score(target, prediction)
            for predictions in variants
            for prediction, target in zip(predictions, targets, strict=True)
        ]
        seconds["rouge-score"].append(time.perf_counter() - started)
        started = time.perf_counter()
        rows = ours.score([p for one in variants for p in one], samples * len(variants))
        seconds["harness"].append(time.perf_counter() - started)
        for row, values in zip(rows, theirs, strict=True):
            for name, metric in NAMES.items():
                found = row[metric + "_stem" * options.stemmer].value
                assert found is not None
                worst = max(worst, abs(found - values[name].fmeasure))
    for name, taken in seconds.items():
        print(f"{name:11}: {' '.join(f'{s:.2f}' for s in taken)} s")
    ratio = statistics.median(seconds["rouge-score"]) / statistics.median(seconds["harness"])
    print(f"ratio of medians {ratio:.2f}; greatest absolute difference {worst:.2g}")


if __name__ == "__main__":
    main()
