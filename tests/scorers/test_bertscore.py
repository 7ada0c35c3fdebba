"""BERTScore against bert-score itself, and where it would go wrong in silence."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from encoded import MINILM, abstracts_and_titles, fetched, sentences_and_titles

from harness.errors import SourceError, SuiteError
from harness.scorers import BertScore, _encoder, fingerprint, prepare, score_all
from harness.types import Sample

PREDICTIONS = ["Copper sulfide hole layers", "A cat sat on the mat", "Monetary policy", "a"]
TARGETS = ["Copper sulfide as a hole transport layer", "The cat sat", "Solar cells", "a"]
PAIRS = list(zip(PREDICTIONS, TARGETS, strict=True))


@pytest.fixture(scope="module")
def folder() -> Path:
    pytest.importorskip("bert_score")
    return fetched(MINILM)


@pytest.fixture
def texts_read() -> Iterator[list[int]]:
    """How many texts each pass through a BERT model had."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    rows: list[int] = []

    def count(module: Any, arguments: tuple[Any, ...]) -> None:
        if type(module).__name__ == "BertModel":
            rows.append(len(arguments[0]))

    hook = register_module_forward_pre_hook(count)
    yield rows
    hook.remove()


def values(rows: list[Any], name: str) -> list[float]:
    return [row[name].value for row in rows]


@pytest.mark.model
def test_values_are_those_of_bert_score(folder: Path) -> None:
    import bert_score

    pairs = [*sentences_and_titles(), *abstracts_and_titles()[:20]]
    # Cut by both at the encoder's window, and without a pair to match.
    pairs += [("cat " * 600, "a cat"), ("a cat", "dog " * 511 + "cat"), ("\u200b", "a cat")]
    predictions, targets = (list(side) for side in zip(*pairs, strict=True))
    theirs = bert_score.BERTScorer(model_type=str(folder), num_layers=6)
    samples = [Sample(str(i), "", (t,)) for i, t in enumerate(targets)]
    rows = BertScore(encoder=MINILM).score(predictions, samples)
    p, r, f = theirs.score(predictions, targets)
    for name, wanted in {"bertscore_p": p, "bertscore_r": r, "bertscore": f}.items():
        assert values(rows, name) == pytest.approx(wanted.tolist(), abs=1e-5)


@pytest.mark.model
def test_of_several_targets_the_best_is_that_of_bert_score(folder: Path) -> None:
    import bert_score

    pairs = sentences_and_titles()[:60]
    predictions, titles = (list(side) for side in zip(*pairs, strict=True))
    targets = [[titles[i - k] for k in range(3)] for i in range(len(titles))]
    theirs = bert_score.BERTScorer(model_type=str(folder), num_layers=6)
    samples = [Sample(str(i), "", tuple(several)) for i, several in enumerate(targets)]
    rows = BertScore(encoder=MINILM).score(predictions, samples)
    for name, wanted in zip(("_p", "_r", ""), theirs.score(predictions, targets), strict=True):
        assert values(rows, f"bertscore{name}") == pytest.approx(wanted.tolist(), abs=1e-5)


@pytest.mark.model
def test_rescaled_values_are_those_of_bert_score(
    folder: Path, tmp_path: Path, harness_cli: Callable
) -> None:
    import bert_score

    # The hub client's cache holds the encoder under a name that bert-score has a baseline of.
    cached = tmp_path / "hub" / "models--FacebookAI--roberta-base"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / ("a" * 40)).symlink_to(folder, target_is_directory=True)
    rows = [{"id": str(i), "prediction": p, "reference": t} for i, (p, t) in enumerate(PAIRS)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--encoder", "hf:FacebookAI/roberta-base", "--out", tmp_path / "out.jsonl"]
    for option in ("rescale=true", "num_layers=6"):
        arguments += ["--option", f"bertscore.{option}"]
    offline = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = harness_cli("score", file, "--scorer", "bertscore", *arguments, env=offline)
    assert done.returncode == 0, done.stderr
    out = [json.loads(line)["scores"] for line in (tmp_path / "out.jsonl").open()]
    baselines = Path(bert_score.__file__).parent / "rescale_baseline" / "en"
    theirs = bert_score.BERTScorer(
        model_type=str(folder),
        num_layers=6,
        lang="en",
        rescale_with_baseline=True,
        baseline_path=str(baselines / "roberta-base.tsv"),
    )
    for name, wanted in zip(("_p", "_r", ""), theirs.score(PREDICTIONS, TARGETS), strict=True):
        got = [scores[f"bertscore{name}"] for scores in out]
        assert got == pytest.approx(wanted.tolist(), abs=1e-5)


@pytest.mark.model
def test_five_variants_embed_each_distinct_text_once(folder: Path, texts_read: list[int]) -> None:
    pairs = sentences_and_titles()[:40]
    samples = [Sample(str(i), "", (target,)) for i, (_, target) in enumerate(pairs)]
    predictions = [f"{text} ({variant})" for variant in range(5) for text, _ in pairs]
    scorer = BertScore(encoder=MINILM, batch_size=16)
    together = scorer.score(predictions, samples * 5)
    assert sum(texts_read) == 5 * len(pairs) + len({target for _, target in pairs})
    assert max(texts_read) <= 16
    alone = [
        row
        for k in range(0, len(predictions), 40)
        for row in scorer.score(predictions[k : k + 40], samples)
    ]
    assert values(together, "bertscore") == pytest.approx(values(alone, "bertscore"), abs=1e-5)


@pytest.mark.model
def test_a_value_does_not_depend_on_the_pairs_beside_it(folder: Path) -> None:
    import bert_score

    # A token of the target has only negative cosines. Alone, bert-score's recall is 0.0100.
    pair = ("mom learns about new vegetable", "fire department deploys unmarked trucks")
    longer = ("cat " * 20, "dog " * 20)
    samples = [Sample("1", "", (pair[1],)), Sample("2", "", (longer[1],))]
    scorer = BertScore(encoder=MINILM)
    (alone,) = scorer.score([pair[0]], samples[:1])
    beside, _ = scorer.score([pair[0], longer[0]], samples)
    theirs = bert_score.BERTScorer(model_type=str(folder), num_layers=6)
    _, recall, _ = theirs.score([pair[0], longer[0]], [pair[1], longer[1]])
    for row in (alone, beside):
        assert row["bertscore_r"].value == pytest.approx(float(recall[0]), abs=1e-5)


@pytest.mark.model
def test_the_bound_of_memory_changes_no_value(
    folder: Path, texts_read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [Sample(str(i), "", (TARGETS[i % 2], "a")) for i in range(len(PREDICTIONS))]
    scorer = BertScore(encoder=MINILM)
    whole = scorer.score(PREDICTIONS, samples)
    in_one = sum(texts_read)
    # Room for the vectors of some twenty tokens.
    monkeypatch.setattr("harness.scorers._matching.VECTOR_BYTES", 20 * 384 * 4)
    parts = scorer.score(PREDICTIONS, samples)
    assert sum(texts_read) - in_one > in_one
    for name in ("bertscore", "bertscore_p", "bertscore_r"):
        assert values(parts, name) == pytest.approx(values(whole, name), abs=1e-5)


@pytest.mark.model
def test_the_definition_names_the_layer_and_the_version_the_encoder(folder: Path) -> None:
    (unsaid, *_), (said, *_) = (
        BertScore(encoder=MINILM).metrics,
        BertScore(encoder=MINILM, num_layers=6).metrics,
    )
    assert "layer: 6;" in unsaid.definition
    assert unsaid == said
    assert unsaid.version.endswith(f"encoder: {MINILM}")
    # On the hub's names bert-score has its own mind, which takes no network to ask.
    own = BertScore(encoder="hf:microsoft/deberta-v3-small").metrics[0]
    assert "layer: 4;" in own.definition
    import bert_score  # noqa: F401

    default = BertScore().metrics[0]
    assert "layer: 17;" in default.definition
    assert default.version.endswith("encoder: hf:FacebookAI/roberta-large")


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


def test_a_random_name_that_looks_like_t5_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "part5"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "_name_sequence", iter(["at5aaaaa", "bbbbbbbb"]))
    with _encoder._safe_name(folder, {"model_type": "bert"}) as path:
        assert "bbbbbbbb" in path
        assert Path(path).resolve() == folder
    (tmp_path / "t5").mkdir()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t5"))
    with pytest.raises(SourceError, match="TMPDIR"):
        _encoder._safe_name(folder, {"model_type": "bert"}).__enter__()


def test_an_encoder_that_is_not_there_is_an_error_and_never_another(tmp_path: Path) -> None:
    scorer = BertScore(encoder=str(tmp_path / "nothing"))
    assert [m.name for m in scorer.metrics] == ["bertscore", "bertscore_p", "bertscore_r"]
    with pytest.raises(SourceError, match="nothing"):
        score_all([scorer], ["a"], [Sample("1", "", ("a",))])


def test_an_encoder_must_have_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SourceError, match="safetensors"):
        fingerprint(BertScore(encoder=str(tmp_path)))
