"""What retrieval, the adapter and both add."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_runs import BINARY, OWN, made_run

from harness.compare import attribution
from harness.store.runs import Run

RETRIEVER = {"kind": "bm25", "k": 3}
ADAPTER = {"lora_r": 16}
PARTS: dict[str, dict[str, Any]] = {
    "base": {},
    "r": {"retriever": RETRIEVER},
    "a": {"adapter": ADAPTER},
    "ra": {"retriever": RETRIEVER, "adapter": ADAPTER},
}


def noise(seed: int, n: int = 100) -> list[float]:
    return np.random.default_rng(seed).uniform(0, 1, n).tolist()


UNBOUNDED = {**OWN, "low": None, "high": None}
"""Whose intervals are as wide as the standard error says."""
FOUR = {name: noise(i) for i, name in enumerate(PARTS)}


def factorial(values: Any = FOUR, parts: Any = PARTS, prints: Any = None, **options: Any) -> Run:
    """A run whose variants have the recipes ``parts`` on top of one base."""
    run = made_run(values, **options)
    for name in values:
        recipe = {"name": name, "model": "m", "precision": "bf16", "generation": {"seed": 0}}
        run.manifest["variants"][name] |= {
            "recipe": {**recipe, **parts[name]},
            "fingerprints": (prints or {}).get(name, {}),
        }
    return run


def effects(run: Run, **options: Any) -> dict[str, Any]:
    found = attribution(run, **options)
    assert len({e.name for e in found}) == len(found)
    return {e.name: e for e in found}


def test_the_four_effects_are_the_contrasts_of_the_means():
    found = effects(factorial(info=UNBOUNDED))
    base, r, a, ra = (np.array(FOUR[v]) for v in ("base", "r", "a", "ra"))
    wanted = {
        "retrieval alone": (r - base, ("r", "base")),
        "adapter alone": (a - base, ("a", "base")),
        "both": (ra - base, ("ra", "base")),
        "interaction": (ra - a - r + base, ("ra", "a", "r", "base")),
    }
    assert list(found) == list(wanted)
    for name, (d, variants) in wanted.items():
        e = found[name]
        assert (e.variants, e.n, e.n_unscored, e.note) == (variants, 100, 0, None)
        assert e.estimate == pytest.approx(d.mean())
        assert e.ci_low < e.estimate < e.ci_high
        # As wide as the paired differences say, not the variants apart.
        assert e.ci_high - e.ci_low == pytest.approx(2 * 1.66 * d.std(ddof=1) / 10, rel=0.25)
    total = found["retrieval alone"].estimate + found["adapter alone"].estimate
    assert found["both"].estimate == pytest.approx(total + found["interaction"].estimate)


def test_alpha_sets_the_level():
    wide, narrow = (effects(factorial(), alpha=alpha)["both"] for alpha in (0.05, 0.25))
    assert (wide.ci_level, narrow.ci_level) == (0.9, 0.5)
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high


def test_lower_is_better_turns_every_sign():
    up, down = (
        effects(factorial(info={**OWN, "higher_is_better": better})) for better in (True, False)
    )
    for name, e in up.items():
        assert (down[name].estimate, down[name].ci_low) == pytest.approx((-e.estimate, -e.ci_high))


def test_the_interaction_of_a_binary_metric_reaches_twice_its_range():
    values = {"base": [1.0] * 40, "r": [0.0] * 40, "a": [0.0] * 40, "ra": [1.0] * 40}
    found = effects(factorial(values, info=BINARY))
    assert (found["both"].estimate, found["interaction"].estimate) == (0.0, 2.0)
    assert (found["both"].ci_low, found["interaction"].ci_high) == (-found["both"].ci_high, 2.0)
    assert 1.5 < found["interaction"].ci_low < 2.0


def test_what_one_of_the_four_lacks_is_left_out_and_counted():
    values = {**FOUR, "a": [None] * 7 + FOUR["a"][7:], "r": FOUR["r"][:98] + [None] * 2}
    found = effects(factorial(values))
    counts = {name: (e.n, e.n_unscored) for name, e in found.items()}
    assert counts == {
        "retrieval alone": (98, 2),
        "adapter alone": (93, 7),
        "both": (100, 0),
        "interaction": (91, 9),
    }
    only = np.array(FOUR["a"][7:]) - np.array(FOUR["base"][7:])
    assert found["adapter alone"].estimate == pytest.approx(only.mean())


def test_clusters_are_respected():
    repeated = {v: np.repeat(x, 4).tolist() for v, x in FOUR.items()}
    clusters = [f"c{i // 4}" for i in range(400)]
    single = effects(factorial(info=UNBOUNDED))
    grouped = effects(factorial(repeated, cluster=clusters, info=UNBOUNDED))
    naive = effects(factorial(repeated, info=UNBOUNDED))
    for name, e in single.items():
        width, same = e.ci_high - e.ci_low, grouped[name].ci_high - grouped[name].ci_low
        assert same == pytest.approx(width, rel=0.1)
        assert naive[name].ci_high - naive[name].ci_low < 0.6 * width
    few = effects(factorial(cluster=[f"c{i % 9}" for i in range(100)]))
    assert "9 clusters" in few["interaction"].method
    assert few["interaction"].ci_low is None


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        (("base", "r"), ["retrieval alone"]),
        (("base", "a"), ["adapter alone"]),
        (("base", "ra"), ["both"]),
        (("base", "r", "a"), ["retrieval alone", "adapter alone"]),
        (("r", "a", "ra"), []),
        (("base",), []),
    ],
)
def test_the_effects_that_exist_are_given(kept, names):
    assert list(effects(factorial({v: FOUR[v] for v in kept}))) == names


@pytest.mark.parametrize(
    "other", [{"model": "n"}, {"system": "s"}, {"shots": {"k": 4}}, {"generation": {"seed": 1}}]
)
def test_variants_that_differ_in_more_are_not_set_against_each_other(other):
    parts = {**PARTS, "r": {**PARTS["r"], **other}}
    assert list(effects(factorial(parts=parts))) == ["adapter alone", "both"]


def test_an_interaction_needs_one_retriever():
    parts = {**PARTS, "r": {"retriever": {"kind": "bm25", "k": 5}}}
    found = effects(factorial(parts=parts))
    assert list(found) == ["retrieval alone", "adapter alone", "both"]


def test_another_precision_is_said():
    parts = {**PARTS, **{v: {**PARTS[v], "precision": "nf4"} for v in ("a", "ra")}}
    found = effects(factorial(parts=parts))
    assert found["retrieval alone"].note is None
    for name in ("adapter alone", "both", "interaction"):
        assert "part of the effect is the precision" in found[name].note
    assert found["adapter alone"].note.startswith("'a' at nf4 and 'base' at bf16")


def test_a_base_at_the_same_precision_is_preferred():
    nf4 = {"precision": "nf4"}
    parts = {**PARTS, **{v: {**PARTS[v], **nf4} for v in ("a", "ra")}, "base4": nf4}
    found = effects(factorial({**FOUR, "base4": noise(9)}, parts=parts))
    assert found["adapter alone"].variants == ("a", "base4")
    assert found["both"].variants == ("ra", "base4")
    assert found["retrieval alone"].variants == ("r", "base")
    assert found["adapter alone"].note is None


def test_another_adapter_is_said_and_the_same_one_preferred():
    other = {**PARTS, "ra": {**PARTS["ra"], "adapter": {"lora_r": 8}}}
    assert "the other training" in effects(factorial(parts=other))["interaction"].note
    prints = {"a": {"adapter_sha256": "1"}, "ra": {"adapter_sha256": "2"}}
    found = effects(factorial(prints=prints))
    assert "'ra' and 'a' hold different adapters" in found["interaction"].note
    assert found["both"].note is None
    parts = {**PARTS, "a2": PARTS["a"]}
    prints = {**prints, "a2": {"adapter_sha256": "2"}}
    run = factorial({**FOUR, "a2": noise(8)}, parts=parts, prints=prints)
    (e,) = (e for e in attribution(run) if e.name == "interaction")
    assert (e.variants, e.note) == (("ra", "a2", "r", "base"), None)


def test_a_task_without_a_corpus_is_said():
    run = factorial()
    run.manifest["tasks"]["t"]["n_corpus"] = 0
    found = effects(run)
    assert found["adapter alone"].note is None
    assert "no corpus" in found["retrieval alone"].note


def test_other_questions_have_no_interval():
    mine = [f"q{i}" for i in range(100)]
    asked = {**dict.fromkeys(PARTS, mine), "a": ["other", *mine[1:]]}
    found = effects(factorial(input=asked))
    assert found["interaction"].ci_low is None
    assert "input differs on 1 of 100" in found["interaction"].method
    assert found["retrieval alone"].ci_low is not None


def test_imported_runs_have_no_recipes_and_no_effects():
    assert attribution(made_run(FOUR, kind="import")) == []


def test_the_order_of_the_rows_does_not_matter():
    run = factorial()
    at = np.random.default_rng(0).permutation(len(run.outputs))
    shuffled = replace(run, outputs=run.outputs.take(at), scores=run.scores.take(at))
    assert attribution(shuffled) == attribution(run)
