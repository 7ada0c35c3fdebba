"""BERTScore of many pairs: each distinct text is embedded once, then the pairs are matched.

Embedding, matching and baseline are bert-score's own functions, so that values are those of
``BERTScorer.score``; which texts are embedded together, and when, is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Pair = tuple[str, str]
"""Prediction and target, neither empty."""
Ids = dict[str, list[int]]
"""Text to the ids of its tokens, cut at the encoder's window."""

VECTOR_BYTES = 2**29
"""Most memory that token vectors take at a time (and one pair's, should that be more).

Beside them is what one batch needs: its pass through the model, as in bert-score, and then its
padding and the padded copies and cosines of its pairs, 4 * batch_size * window * (5 * width +
3 * window) bytes at most, which is 0.7 GB for 64 pairs of 512 tokens and a width of 768.
"""


def compare(scorer: Any, pairs: Sequence[Pair], batch_size: int) -> dict[Pair, list[float]]:
    """Precision, recall and F1 of every pair.

    Pairs are taken target by target, so that all predictions for a target are held against it
    while its vectors are there. A target at the end of one part and the start of the next is
    embedded in both.
    """
    import torch

    values: dict[Pair, list[float]] = {}
    with torch.inference_mode():
        for part, ids in _parts(scorer, pairs):
            vectors = _embedded(scorer, ids, batch_size)
            # Pairs of like length together: padding costs as much as text.
            part.sort(key=lambda pair: (len(ids[pair[1]]), len(ids[pair[0]])))
            for start in range(0, len(part), batch_size):
                some = part[start : start + batch_size]
                found = _matched(scorer, some, vectors)
                values.update(zip(some, found.tolist(), strict=True))
            # Else they stay until the next part's are made.
            del vectors
    return values


def _parts(scorer: Any, pairs: Sequence[Pair]) -> Iterator[tuple[list[Pair], Ids]]:
    """Pairs whose distinct texts fit into ``VECTOR_BYTES`` together, and those texts' tokens."""
    from bert_score.utils import sent_encode

    most = VECTOR_BYTES // (4 * scorer._model.config.hidden_size)
    part: list[Pair] = []
    ids: Ids = {}
    held = 0
    # By length, so that the texts of a part pad each other little.
    for pair in sorted(pairs, key=lambda pair: (len(pair[1]), pair[1])):
        new = {t: sent_encode(scorer._tokenizer, encodable(t)) for t in pair if t not in ids}
        if part and held + sum(map(len, new.values())) > most:
            yield part, ids
            new = {t: new[t] if t in new else ids[t] for t in pair}
            part, ids, held = [], {}, 0
        part.append(pair)
        ids |= new
        held += sum(map(len, new.values()))
    if part:
        yield part, ids


def _embedded(scorer: Any, ids: Ids, batch_size: int) -> dict[str, tuple[Any, Any]]:
    """Text to its token vectors and their weights: special tokens at the ends weigh nothing."""
    import torch
    from bert_score.utils import bert_encode, padding

    tokenizer = scorer._tokenizer
    ends = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    texts = sorted(ids, key=lambda text: -len(ids[text]))
    found = {}
    for start in range(0, len(texts), batch_size):
        some = texts[start : start + batch_size]
        padded, _, mask = padding([ids[text] for text in some], tokenizer.pad_token_id)
        states = bert_encode(scorer._model, padded.to(scorer.device), mask.to(scorer.device))
        for text, vectors in zip(some, states, strict=True):
            weights = torch.tensor([float(i not in ends) for i in ids[text]])
            found[text] = vectors[: len(weights)], weights.to(scorer.device)
    return found


def _matched(scorer: Any, pairs: Sequence[Pair], vectors: Mapping[str, tuple[Any, Any]]) -> Any:
    """Tensor of precision, recall, F1 (rescaled where the scorer rescales), a row a pair."""
    import torch
    from bert_score.utils import greedy_cos_idf

    predictions, targets = zip(*pairs, strict=True)
    sides = (_padded([vectors[text] for text in side]) for side in (targets, predictions))
    values = torch.stack(greedy_cos_idf(*next(sides), *next(sides)), dim=-1).cpu()
    if scorer.rescale_with_baseline:
        values = (values - scorer.baseline_vals) / (1 - scorer.baseline_vals)
    return values


def _padded(texts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any, Any]:
    """Vectors, mask and weights as ``greedy_cos_idf`` takes them; it writes into all three.

    Every text is padded, the longest by one place. To bert-score a padded place is one more token
    to match, with a cosine of 0: the best match of a token unlike all others is 0 in a batch with
    longer texts, and negative in one without. Here it is 0 whatever the batch.
    """
    from torch.nn.functional import pad
    from torch.nn.utils.rnn import pad_sequence

    vectors, weights = zip(*texts, strict=True)
    mask = pad_sequence([w.new_ones(len(w)) for w in weights], batch_first=True)
    # A vector of length 0 would be divided by it.
    padded = pad_sequence(list(vectors), batch_first=True, padding_value=1.0)
    held = pad_sequence(list(weights), batch_first=True)
    return pad(padded, (0, 0, 0, 1), value=1.0), pad(mask, (0, 1)), pad(held, (0, 1))


def encodable(text: str) -> str:
    """With U+FFFD for lone surrogates, which JSON can hold and tokenizers refuse."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
