"""Similarity of sentence vectors against mean pooling by hand, and what is encoded how often."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded import MINILM, abstracts_and_titles, fetched, sentences_and_titles

from harness import scorers
from harness.errors import SuiteError
from harness.pipeline.wiring import Encoders, wired
from harness.scorers import EmbeddingSimilarity, score_all
from harness.types import Sample, Scorer

NAME = "embedding_similarity"


@dataclass
class Letters:
    """A ``types.Encoder`` without a model: how often a and b stand in a text, less 1."""

    texts: list[str] = field(default_factory=list)
    """All that were encoded, in order."""
    weights: str = "1"
    limit: int = 9

    @property
    def identity(self) -> Mapping[str, str]:
        return {"weights": self.weights}

    def encode(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        counts = np.array([[t.count(c) - 1 for c in "ab"] for t in texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def cut(self, texts: Sequence[str]) -> list[bool]:
        return [len(text) > self.limit for text in texts]


def letters(encoder: Letters | None = None) -> Scorer:
    return EmbeddingSimilarity("./letters").with_encoder(encoder or Letters())


@pytest.fixture(scope="module")
def minilm() -> Path:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    return fetched(MINILM)


@pytest.mark.model
def test_values_are_those_of_pooling_and_normalising_by_hand(minilm: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(minilm), AutoTokenizer.from_pretrained(minilm)

    def vector(text: str) -> Any:
        # 256 tokens are what sentence_bert_config.json says.
        batch = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            mean = model(**batch).last_hidden_state[0].mean(0)
        return mean / mean.norm()

    pairs = [*sentences_and_titles(), *abstracts_and_titles()[:40]]
    (scorer,) = wired([EmbeddingSimilarity(MINILM)], Encoders("cpu"))
    samples = [Sample(str(i), "", (title,)) for i, (_, title) in enumerate(pairs)]
    rows = scorer.score([text for text, _ in pairs], samples)
    wanted = [float(vector(text) @ vector(title)) for text, title in pairs]
    assert [row[NAME].value for row in rows] == pytest.approx(wanted, abs=1e-5)
    long = [len(tokenizer(text)["input_ids"]) > 256 for text, _ in pairs]
    assert 0 < sum(long) < len(pairs)
    assert ["first 256 tokens" in str(row[NAME].reason) for row in rows] == long


def test_five_variants_encode_each_distinct_text_once() -> None:
    encoder = Letters()
    samples = [Sample(str(i), "", ("a" * i, "b" * 9)) for i in range(2, 6)]
    predictions = [f"{'b' * k}{s.id}" for k in range(5) for s in samples]
    letters(encoder).score(predictions, samples * 5)
    assert len(encoder.texts) == len(set(encoder.texts)) == 4 * 5 + 4 + 1


def test_the_best_target_counts_and_an_empty_text_is_0() -> None:
    # The vectors: aab (1, 0), abb (0, 1), b (-1, 0), bb (-1, 1) / sqrt(2).
    cases = [
        ("bb", ("aab", "abb"), pytest.approx(0.5**0.5)),
        ("b", ("aab", "abb"), 0.0),
        ("b", ("aab",), -1.0),
        (" \n", ("aab",), 0.0),
        ("aab", (" ",), 0.0),
        ("b", (" ", "aab"), 0.0),
        ("aab", (), None),
    ]
    encoder = Letters()
    samples = [Sample(str(i), "", targets) for i, (_, targets, _) in enumerate(cases)]
    rows = letters(encoder).score([prediction for prediction, _, _ in cases], samples)
    assert [row[NAME].value for row in rows] == [wanted for _, _, wanted in cases]
    assert all(text.strip() for text in encoder.texts)


def test_a_text_that_is_cut_keeps_its_value_with_a_remark() -> None:
    samples = [Sample("1", "", ("aab",)), Sample("2", "", ("aab", "a" * 10))]
    rows = letters().score(["aab" + "c" * 7, "aab"], samples)
    for row in rows:
        assert row[NAME].value == 1.0
        assert "only the first 9 tokens" in str(row[NAME].reason)
    assert letters().score(["aab"], samples[:1])[0][NAME].reason is None


def test_without_its_encoder_it_says_what_is_missing() -> None:
    with pytest.raises(SuiteError, match="name the encoder"):
        EmbeddingSimilarity()
    (row,) = score_all([EmbeddingSimilarity("./e")], ["a"], [Sample("1", "", ("a",))])
    assert row[NAME].value is None
    assert "handed its encoder" in str(row[NAME].reason)


def test_the_fingerprint_holds_all_of_the_encoder() -> None:
    one, same, other = letters(), letters(), letters(Letters(weights="2"))
    assert scorers.fingerprint(one) == scorers.fingerprint(same)
    assert scorers.fingerprint(one) != scorers.fingerprint(other)
    # Cut down to its metric it is still handed the encoder.
    cut = scorers.only(EmbeddingSimilarity("./e"), NAME)
    assert cut.encoder_reference == "./e"  # type: ignore[attr-defined]


@pytest.mark.model
def test_a_file_is_scored_by_a_named_encoder(
    minilm: Path, tmp_path: Path, harness_cli: Callable
) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [
        {"id": "same", "prediction": "The cat sleeps.", "reference": "The cat sleeps."},
        {"id": "near", "prediction": "A kitten naps.", "reference": ["x", "The cat sleeps."]},
        {"id": "none", "prediction": "", "reference": "The cat sleeps."},
        {"id": "long", "prediction": "word " * 300, "reference": "word"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["score", file, "--scorer", NAME, "--out", tmp_path / "out.jsonl", "--json"]
    done = harness_cli(*arguments, "--encoder", minilm)
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    lines = map(json.loads, (tmp_path / "out.jsonl").open())
    out = {line["id"]: line["scores"][NAME] for line in lines}
    assert out["same"] == pytest.approx(1.0, abs=1e-6)
    assert 0.5 < out["near"] < 1.0
    assert out["none"] == 0.0
    metric = json.loads(done.stdout)["metrics"][NAME]
    assert list(metric["remarks"].values()) == [1]
    assert "weights with SHA-256" in metric["version"]

    missing = harness_cli(*arguments, "--encoder", "./nothing")
    assert missing.returncode == 2
    assert "there is no" in missing.stderr
    unnamed = harness_cli(*arguments)
    assert unnamed.returncode == 2
    assert "--encoder" in unnamed.stderr
