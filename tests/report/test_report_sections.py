"""The sections that stand on their own: their numbers, and when there is nothing to show."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import made_runs
import pytest
import report_runs as runs
from hypothesis import given
from hypothesis import strategies as st
from test_report_page import Elements

from harness import compare
from harness.report import render
from harness.report.labels import place
from harness.report.material import Material
from harness.report.sections import (
    audit,
    deciding,
    forgetting,
    frontier,
    judges,
    retrieval,
    safety,
    slices,
)
from harness.store.runs import Run
from harness.types import Status, Verdict


def material(run: Run, candidate: str | None = None, **changes: Any) -> Material:
    return Material(
        **{
            "run": run,
            "verdict": Verdict(Status.INVALID, None, candidate),
            "candidate": candidate,
            "comparisons": compare.comparisons(run),
            "summaries": compare.summaries(run),
            **changes,
        }
    )


def page_of(run: Run) -> str:
    return render(
        run,
        runs.verdict(rules=runs.mixed_rules()),
        runs.comparisons_of(run),
        runs.summaries_of(run),
    )


# ------------------------------------------------------------------- what would decide


def test_what_is_open_says_what_it_takes_and_what_is_decided_says_nothing() -> None:
    verdict = runs.verdict(rules=runs.mixed_rules())
    found = deciding.section(material(runs.whole_run(2), "hybrid", verdict=verdict))
    assert found is not None
    assert [(row.word, row.metric, row.takes) for row in found] == [
        ("open", "exact_match", "about 320 more samples"),
        ("invalid", "judge_tone", "the cause removed"),
    ]
    assert found[1].why == "The judge has no calibration."
    done = runs.verdict(Status.SHIP)
    assert deciding.section(material(runs.whole_run(2), "hybrid", verdict=done)) is None


# ---------------------------------------------------------------------------- frontier


def test_the_frontier_holds_what_nothing_beats_in_both() -> None:
    right = {"dear": 0.9, "cheap": 0.5, "poor": 0.4, "middle": 0.6}
    cost = {"dear": 9.0, "cheap": 1.0, "poor": 2.0, "middle": 3.0}
    n = 40
    run = made_runs.made_run(
        {v: [float(i < share * n) for i in range(n)] for v, share in right.items()},
        info=made_runs.BINARY,
        cost={v: [c / 1000] * n for v, c in cost.items()},
    )
    plots = frontier.section(material(run, "middle"))
    assert plots is not None
    plot = next(p for p in plots if p.price == "cost_per_1k_requests")
    assert {p.variant for p in plot.points if p.on} == {"dear", "cheap", "middle"}
    assert [p.variant for p in plot.points if p.candidate] == ["middle"]
    places = {p.variant: (p.x, p.y) for p in plot.points}
    assert places["cheap"][0] < places["poor"][0] < places["middle"][0] < places["dear"][0]
    assert places["dear"][1] < places["middle"][1] < places["cheap"][1] < places["poor"][1]


def test_without_a_probe_the_machine_s_seconds_stand_for_latency() -> None:
    plots = frontier.section(material(runs.whole_run(9), "hybrid"))
    assert plots is not None
    assert {p.price for p in plots} == {"machine seconds", "tokens_per_1k_requests"}
    assert "no latency was probed" in next(p.unit for p in plots if p.price == "machine seconds")
    probed = frontier.section(material(runs.told_run(20), "hybrid"))
    assert {p.price for p in probed or ()} == {"latency_p50", "tokens_per_1k_requests"}


def test_where_lower_is_better_the_frontier_turns() -> None:
    worse = {**made_runs.OWN, "higher_is_better": False}
    run = made_runs.made_run(
        {"a": [0.9, 0.8] * 20, "b": [0.1, 0.2] * 20},
        info=worse,
        cost={"a": [1.0] * 40, "b": [2.0] * 40},
    )
    plots = frontier.section(material(run, "a"))
    assert plots is not None
    assert plots[0].better == "down"
    assert [p.on for p in plots[0].points] == [True, True]
    dearer = replace(material(run, "a"), rules=[])
    assert frontier.section(replace(dearer, summaries=[])) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=2, max_size=8),
    st.booleans(),
)
def test_a_point_is_on_the_frontier_exactly_when_nothing_dominates_it(
    points: list[tuple[float, float]], lower: bool
) -> None:
    found = frontier._frontier(points, lower)
    assert any(found)
    for i, (quality, price) in enumerate(points):
        beaten = [
            j
            for j, (q, p) in enumerate(points)
            if (q <= quality if lower else q >= quality)
            and p <= price
            and (q, p) != (quality, price)
        ]
        assert found[i] == (not beaten)


def test_names_do_not_lie_on_other_names() -> None:
    spots = [(20.0, 50.0), (24.0, 52.0), (22.0, 47.0), (98.0, 50.0)]
    labels = place(["adapter", "few_shot", "rag", "hybrid"], spots, 300)
    assert len({(label.dx, label.dy) for label in labels[:3]}) == 3
    assert labels[3].anchor == "end"  # There is no room to the right.


# ------------------------------------------------------------------------------ slices


def sliced_run() -> Run:
    """The candidate loses ten of twenty on ``legal``, wins everywhere else."""
    n = 60
    kinds = ["legal" if i % 3 == 0 else "news" for i in range(n)]
    b = [1.0 if k == "legal" else 0.0 for k in kinds]
    a = [0.0 if k == "legal" and i % 2 else 1.0 for i, k in enumerate(kinds)]
    metadata = [json.dumps({"kind": k, "id": str(i), "one": "same"}) for i, k in enumerate(kinds)]
    return made_runs.made_run({"a": a, "b": b}, info=made_runs.BINARY, metadata=metadata)


def test_a_slice_where_the_candidate_loses_is_marked_and_coloured() -> None:
    found = slices.section(material(sliced_run(), "a"))
    assert found is not None
    (drawn,) = found
    rows = {row.value: row for row in drawn.rows}
    assert set(rows) == {"legal", "news"}  # Not ids, and not what is the same everywhere.
    assert rows["legal"].n == 20
    assert rows["legal"].own == "0.500"
    (legal,), (news,) = rows["legal"].cells, rows["news"].cells
    assert (legal.text, legal.mark, legal.shade) == ("−0.500", "▼", "down-2")
    assert (news.text, news.mark, news.shade) == ("+1.000", "▲", "up-4")


def test_cells_of_few_pairs_have_no_colour() -> None:
    run = made_runs.made_run(
        {"a": [1.0] * 20, "b": [0.0] * 20},
        metadata=[json.dumps({"kind": "x" if i < 3 else "y"}) for i in range(20)],
    )
    found = slices.section(material(run, "a"))
    assert found is not None
    shades = {row.value: row.cells[0].shade for row in found[0].rows}
    assert shades["x"] == "few"
    assert shades["y"] != "few"


def test_without_metadata_or_a_second_variant_there_is_no_map() -> None:
    bare = made_runs.made_run({"a": [1.0] * 9, "b": [0.0] * 9})
    assert slices.section(material(bare, "a")) is None
    assert slices.section(material(runs.single_variant_run(), "adapter")) is None


# --------------------------------------------------------------------------- retrieval


def retrieving_run(n: int = 40, seed: int = 3) -> tuple[Run, list[int]]:
    """A variant with three passages each, and at which rank the target stands (0: nowhere)."""
    draw = random.Random(seed)
    ranks = [draw.randrange(4) for _ in range(n)]
    targets = [f"A-{i} (valid)" for i in range(n)]
    retrieved = []
    for i, rank in enumerate(ranks):
        texts = [f"Item B-{i}, void" for _ in range(3)]
        if rank:
            texts[rank - 1] = f"the code is a-{i}: VALID since May"
        retrieved.append(json.dumps([{"id": str(k), "text": t} for k, t in enumerate(texts)]))
    run = made_runs.made_run(
        {"rag": [float(r > 0) for r in ranks], "plain": [0.0] * n},
        info=made_runs.BINARY,
        target=[json.dumps([t]) for t in targets],
        retrieved={"rag": retrieved, "plain": [None] * n},
    )
    return run, ranks


def test_retrieval_is_measured_by_where_the_target_stands() -> None:
    run, ranks = retrieving_run()
    found = retrieval.section(material(run, "rag"))
    assert found is not None
    (row,) = found.rows
    n, hits = len(ranks), sum(r > 0 for r in ranks)
    assert row.variant == "rag"
    assert row.n == n
    assert row.any == f"{hits / n:.1%}"
    assert row.first == f"{sum(r == 1 for r in ranks) / n:.1%}"
    assert float(row.rank) == pytest.approx(sum(1 / r for r in ranks if r) / n, abs=5e-4)
    assert row.with_it == f"1.000 (n = {hits})"
    assert row.without == f"0.000 (n = {n - hits})"


def test_a_target_inside_a_longer_word_is_not_found() -> None:
    run = made_runs.made_run(
        {"rag": [1.0] * 5},
        target=['["art"]'] * 5,
        retrieved=[json.dumps([{"id": "1", "text": "a party"}])] * 5,
    )
    found = retrieval.section(material(run, "rag"))
    assert found is not None
    assert found.rows[0].any == "0.0%"


@pytest.mark.parametrize("retrieved", ["not json", "{}", '[1, null, "x"]'])
def test_passages_that_are_none_hold_nothing(retrieved: str) -> None:
    run = made_runs.made_run({"rag": [1.0] * 5}, retrieved=[retrieved] * 5)
    found = retrieval.section(material(run, "rag"))
    assert found is not None
    assert found.rows[0].any == "0.0%"


def test_without_passages_there_is_no_retrieval() -> None:
    assert retrieval.section(material(made_runs.made_run({"a": [1.0] * 5}), "a")) is None
    none = made_runs.made_run({"a": [1.0] * 5}, retrieved=["[]"] * 5)
    assert retrieval.section(material(none, "a")) is None


def test_a_sample_for_which_nothing_was_found_is_a_miss() -> None:
    held = json.dumps([{"id": "1", "text": "a0"}])
    run = made_runs.made_run({"rag": [1.0] * 5}, retrieved=[held, *["[]"] * 4])
    found = retrieval.section(material(run, "rag"))
    assert found is not None
    assert (found.rows[0].n, found.rows[0].any) == (5, "20.0%")


# ------------------------------------------------------------------------------ judges


def test_a_judge_is_shown_with_its_calibration_and_probes() -> None:
    run = runs.judged_run()
    found = {j.metric: j for j in judges.section(material(run)) or ()}
    tone, facts = found["judge_tone"], {f.name: f for f in found["judge_tone"].facts}
    assert (tone.word, tone.mark) == ("valid", "proved")
    assert facts["Cohen's kappa"].value == "0.710"
    assert facts["Cohen's kappa"].note == "0.580 to 0.820; floor 0.400"
    assert facts["Cohen's kappa"].bar is not None
    assert facts["Cohen's kappa"].bar.margins
    assert tone.probes == (("longer", 40, 3, 0),)
    assert tone.judges == (("small", "qwen", "a variant"),)
    text = " ".join(Elements(page_of(run)).text.split())
    assert "also the model of a variant" in text
    assert "2 repeats, 960 calls, 120 from the cache" in text


def test_a_judge_that_nobody_calibrated_says_so() -> None:
    found = {j.metric: j for j in judges.section(material(runs.judged_run())) or ()}
    assert found["judge_help"].word == "not calibrated"
    assert "decide nothing" in found["judge_help"].reason
    assert found["judge_style"].word == "not valid"
    assert found["judge_style"].reason == "Kappa is below the floor."


def test_a_judge_of_pairs_shows_wins_at_equal_length_and_the_kappa_that_decides() -> None:
    found = {j.metric: j for j in judges.section(material(runs.judged_run())) or ()}
    pairs = found["judge_tone (titles)"]
    notes = {f.name: f.note for f in pairs.facts}
    assert "floor 0.400" in notes["weighted kappa"]
    assert "floor" not in notes["Cohen's kappa"]
    text = " ".join(Elements(page_of(runs.judged_run())).text.split())
    assert "pairwise, against rag" in text
    assert "also the model of rag and hybrid" in text
    assert "hybrid titles 0.700 0.610 40" in text
    assert "What a notary would write." in text
    assert "1 failed, 9,000 tokens in, 800 out" in text


def test_a_run_without_judges_has_no_such_section() -> None:
    assert judges.section(material(runs.whole_run(2))) is None
    assert 'id="judges"' not in page_of(runs.whole_run(2))


# -------------------------------------------------------------------- what others add


@pytest.mark.parametrize("module", [audit, forgetting, safety])
def test_what_a_run_says_besides_is_shown_where_it_says_it(module: Any) -> None:
    name = module.__name__.rsplit(".", 1)[1]
    plain = runs.whole_run(2)
    assert module.section(material(plain)) is None
    assert f'id="{name}"' not in page_of(plain)
    told = runs.with_manifest(plain, **{name: {"checked": {"rows <b>": 7}}})
    page = page_of(told)
    assert f'<section id="{name}"' in page
    assert "rows &lt;b&gt;" in page
