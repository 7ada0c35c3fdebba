from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import near_duplicates, normalise, split
from harness.errors import DataError
from harness.types import Document, Message, Sample

WORDS = [f"word{i}" for i in range(12)]


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = text.split()
    return {tuple(tokens[i : i + 3]) for i in range(len(tokens) - 2)} or {tuple(tokens)}


def jaccard(a: str, b: str) -> float:
    return len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(3, 40)))


def samples(n: int, seed: int = 0) -> list[Sample]:
    rng = random.Random(seed)
    return [
        Sample(f"s{i}", f"{i} " + sentence(rng), ("x",), metadata={"kind": i % 4 == 0})
        for i in range(n)
    ]


def test_what_normalisation_joins_and_what_it_keeps_apart() -> None:
    assert normalise("  Ｌｏｄｚ\n\tStraße ") == normalise("lodz STRASSE")
    assert normalise("cafe\u0301") == normalise("café")
    assert normalise("3-2") != normalise("3+2")


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=0, max_size=9).map(" ".join)))
@settings(deadline=None)
@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_the_index_finds_what_comparing_every_pair_finds(
    threshold: float, texts: list[str]
) -> None:
    stands = near_duplicates(texts, threshold=threshold)
    kept = {i for i, other in enumerate(stands) if other == i}
    for a, b in itertools.combinations(kept, 2):
        assert jaccard(texts[a], texts[b]) < threshold
    for i, other in enumerate(stands):
        assert other in kept
        assert jaccard(texts[i], texts[other]) >= threshold


def test_a_pair_just_at_the_threshold_is_one() -> None:
    # 9 shingles, 8 shared, 1 only in the longer: 8/9; and 8 of 10: exactly 0.8.
    words = [f"w{i}" for i in range(12)]
    a, b = " ".join(words[:10]), " ".join(words[:12])
    assert jaccard(a, b) == 0.8
    assert near_duplicates([b, a], threshold=0.8) == [1, 1]
    assert near_duplicates([b, a], threshold=0.81) == [0, 1]
    with pytest.raises(ValueError, match="'threshold'"):
        near_duplicates([a], threshold=0.0)


def test_a_shared_template_is_no_quadratic_cost() -> None:
    template = " ".join(f"t{i}" for i in range(20))
    texts = [f"{template} {i} {i}a {i}b {i}c {i}d" for i in range(3000)]
    assert near_duplicates(texts) == list(range(3000))


def test_near_duplicates_never_lie_on_two_sides_and_every_sample_is_accounted_for() -> None:
    rng = random.Random(1)
    originals = samples(150)
    copies = []
    for s in rng.choices(originals, k=100):
        words = str(s.input).split()
        copies.append(Sample(f"copy-{len(copies)}", " ".join([*words, "extra"]).upper(), ("x",)))
    everything = originals + copies
    rng.shuffle(everything)
    done = split(everything, seed=0, n_eval=40, n_train=60)

    assert (len(done.eval), len(done.train)) == (40, 60)
    both = [*done.eval, *done.train]
    for a, b in itertools.combinations(both, 2):
        assert jaccard(normalise(a.text), normalise(b.text)) < 0.8
    assert {s.id for s in both} | {d.id for d in done.dropped} == {s.id for s in everything}
    assert len(both) + len(done.dropped) == len(everything)
    assert done.counts == {"eval": 40, "train": 60, **Counter(d.reason for d in done.dropped)}
    by_id = {s.id: normalise(s.text) for s in everything}
    for d in done.dropped:
        if d.reason == "duplicate":
            assert d.of is not None
            assert jaccard(by_id[d.id], by_id[d.of]) >= 0.8


def test_the_same_seed_draws_the_same_whatever_the_order() -> None:
    everything = samples(200)
    one = split(everything, seed=3, n_eval=50)
    assert split(everything, seed=3, n_eval=50) == one
    turned = split(everything[::-1], seed=3, n_eval=50)
    assert {s.id for s in turned.eval} == {s.id for s in one.eval}
    assert {s.id for s in split(everything, seed=4, n_eval=50).eval} != {s.id for s in one.eval}
    assert len(one.train) == 150
    grown = split([*everything, *samples(210)[200:]], seed=3, n_eval=50)
    assert len({s.id for s in grown.eval} & {s.id for s in one.eval}) >= 40


def test_strata_keep_their_shares() -> None:
    done = split(samples(200), seed=0, n_eval=30, n_train=80, stratify="kind")
    assert Counter(s.metadata["kind"] for s in done.eval) in (
        {False: 22, True: 8},
        {False: 23, True: 7},
    )
    assert Counter(s.metadata["kind"] for s in done.train)[True] == 20
    by_length = split(samples(200), seed=0, n_eval=20, stratify=lambda s: str(len(s.id)))
    assert Counter(len(s.id) for s in by_length.eval) == {2: 1, 3: 9, 4: 10}


@pytest.mark.parametrize("stratify", [None, "kind"])
def test_groups_never_lie_on_two_sides(stratify: str | None) -> None:
    rng = random.Random(0)
    everything = [
        Sample(s.id, s.input, s.targets, f"c{rng.randrange(30)}", s.metadata) for s in samples(200)
    ]
    for group in (None, lambda s: s.cluster):
        done = split(everything, seed=0, n_eval=50, n_train=80, group=group, stratify=stratify)
        assert (len(done.eval), len(done.train)) == (50, 80)
        assert not {s.cluster for s in done.eval} & {s.cluster for s in done.train}
        held = {d.id for d in done.dropped if d.reason == "group"}
        clusters = {s.cluster for s in done.eval}
        chosen = {s.id for s in done.eval}
        assert held == {s.id for s in everything if s.cluster in clusters} - chosen


def test_too_few_samples_and_wrong_keys_are_said() -> None:
    ten = samples(10)
    for options, says in (
        ({"n_eval": 11}, "only 10 samples"),
        ({"n_eval": 8, "n_train": 3}, "only 2 samples"),
        ({"n_eval": 0}, "'n_eval'"),
        ({"n_eval": 1, "n_train": 0}, "'n_train'"),
        ({"n_eval": 1, "stratify": "knid"}, "Did you mean 'kind'"),
        ({"n_eval": 1, "group": "document"}, "no such metadata"),
    ):
        with pytest.raises(DataError, match=says):
            split(ten, seed=0, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 samples have the id 's1'"):
        split([*ten, ten[1]], seed=0, n_eval=1)
    assert split(ten, seed=0, n_eval=10).train == ()


def test_a_shared_system_prompt_does_not_make_duplicates() -> None:
    system = Message(role="system", content="You are a very careful assistant. " * 20)
    chats = [
        Sample(f"{i}", (system, Message(role="user", content=f"question {i}")), ("x",))
        for i in range(4)
    ]
    assert split(chats, seed=0, n_eval=2).counts == {"eval": 2, "train": 2}


def test_a_split_becomes_a_tasks_data() -> None:
    done = split(samples(5), seed=0, n_eval=2)
    data = done.data([Document("d", "text")])
    assert (data.eval, data.train, data.corpus) == (done.eval, done.train, (Document("d", "text"),))
