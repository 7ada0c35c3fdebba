"""Attribution, break-even, the gate's self-check, and how a run was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import report_runs as runs
from hypothesis import given
from hypothesis import strategies as st
from test_report_page import XSS, Elements

from harness.compare import attribution, break_even
from harness.gate import Checked
from harness.report import render, write_report
from harness.report.evidence import NOTHING, Evidence
from harness.report.selfcheck import repetitions, self_check_section
from harness.report.words import interval, number
from harness.store.runs import Run, outputs_table
from harness.types import Rule, RuleSet, Status


def page_of(run: Run, evidence: Evidence | None = None, **verdict: Any) -> str:
    return render(
        run,
        runs.verdict(**{"rules": runs.mixed_rules(), **verdict}),
        runs.comparisons_of(run),
        runs.summaries_of(run),
        evidence=runs.evidence_of(run) if evidence is None else evidence,
    )


def text_of(page: str) -> str:
    return " ".join(Elements(page).text.split())


# ------------------------------------------------------------------ effects and money


def test_each_effect_is_shown_with_what_it_is_made_of() -> None:
    run = runs.whole_run(40)
    text = text_of(page_of(run))
    effects = attribution(run)
    assert {e.name for e in effects} == {
        "retrieval alone", "adapter alone", "both", "interaction"
    }  # fmt: skip
    for e in effects:
        shown = interval(e.ci_low, e.ci_high, signed=True, limits=(0.0,))
        size = f"n = {e.n} · {e.n_unscored} unscored" if e.n_unscored else f"n = {e.n}"
        word = "better" if (e.ci_low or 0) > 0 else "worse" if (e.ci_high or 0) < 0 else "unclear"
        assert f"{number(e.estimate, signed=True)} {word} {shown} {size}" in text
    assert "interaction hybrid − adapter − rag + few_shot" in text
    assert "retrieval alone rag − few_shot" in text


def test_a_note_on_an_effect_is_said_once_for_a_task() -> None:
    run = runs.whole_run(40, tasks=("entities",))
    run.manifest["variants"]["adapter"]["recipe"]["precision"] = "bf16"
    text = text_of(page_of(run))
    assert text.count("part of the effect is the precision") == 2  # adapter alone, interaction
    assert text_of(page_of(runs.whole_run(40))).count("part of the effect") == 0


def test_an_effect_without_an_interval_says_why() -> None:
    assert "no interval 1 scored samples n = 1" in text_of(page_of(runs.whole_run(1)))


def test_break_even_says_after_how_many_requests_or_that_it_never_is() -> None:
    run = runs.told_run()
    rows = break_even(run)
    text = text_of(page_of(run))
    numbers = [b.requests for b in rows if isinstance(b.requests, int)]
    assert numbers
    assert "never" in {b.requests for b in rows}
    for requests in numbers:
        assert f"{requests:,} requests" in text
    for b in rows:
        assert b.reason in text
    assert "412 s of training (3 tries) and 105 s of evaluation" in text


def test_a_reason_that_all_rows_share_is_said_once() -> None:
    run = runs.with_manifest(runs.told_run(), spent=None)
    unknown = [b for b in break_even(run) if b.requests is None]
    assert len(unknown) > 1
    text = text_of(page_of(run, Evidence(break_even=tuple(unknown))))
    assert text.count("he run does not say what training and evaluation have cost") == 1
    assert text.count("not known") >= 2 * len(unknown)


# ------------------------------------------------------------------------- self-check


def test_the_self_check_shows_each_promise_and_how_exact_it_is() -> None:
    text = text_of(page_of(runs.whole_run(2)))
    assert "must beat rag by more than 0.02 entities 5% 4.6% kept 91.2%" in text
    assert "must trail rag by less than 0.01 entities 5% 20.0% broken 50.0%" in text
    assert "5% 4.0% kept 70.0% exact" in text
    assert "not simulated – not decided: The judge has no calibration." in text
    # 2 * sqrt(0.05 * 0.95 / 500)
    assert "Drawn 500 times, which tells a rate of 5% to within 1.9 points" in text


@given(st.floats(0, 0.3), st.sampled_from([0.01, 0.05, 0.1]), st.sampled_from([0, 200, 500]))
def test_the_whisker_reaches_the_zone_exactly_when_the_promise_is_kept(
    rate: float, alpha: float, times: int
) -> None:
    row = runs.rule_result(Status.SHIP, alpha=alpha)
    section = self_check_section([Checked(row, rate, 0.5, times, "")], [])
    assert section is not None
    shown = section.rows[0]
    assert shown.bar.low is not None
    assert shown.bar.zone_width is not None
    beyond = shown.bar.low - shown.bar.zone_width
    if abs(beyond) > 0.01:
        assert shown.word == ("broken" if beyond > 0 else "kept")


def test_a_run_that_decided_nothing_has_no_self_check() -> None:
    lost = Checked(runs.rule_result(Status.INVALID), None, None, 0, "not decided: 3 pairs")
    assert self_check_section([lost], []) is None
    assert self_check_section([], []) is None


def test_the_larger_the_run_the_fewer_the_draws_until_there_are_none() -> None:
    run = runs.whole_run(2, tasks=("entities",))

    def clustered(n: int) -> Run:
        keys = ("entities", "zero_shot")
        rows = (
            {"task": keys[0], "sample_id": str(i), "variant": keys[1], "cluster": str(i)}
            for i in range(n)
        )
        return replace(run, outputs=outputs_table(rows))

    def times(n: int, of: Run) -> int | None:
        return repetitions(of, [runs.rule_result(Status.SHIP, n=n)], None)

    assert times(400, run) == 500
    assert times(5_000_000, run) == 500  # Without clusters only the distinct values are drawn.
    assert times(12_000, clustered(12_000)) == 200
    assert times(120_000, clustered(120_000)) is None
    page = page_of(run, Evidence(unchecked=True))
    assert "harness gate RUN --self-check" in text_of(page)


# ----------------------------------------------------------------- how it was measured


def test_a_run_that_stopped_by_looking_says_so_at_the_top() -> None:
    run = runs.with_manifest(runs.told_run(), staged=None, batches=None)
    text = text_of(page_of(run))
    assert (
        "Stopped after 4 looks and 40 of 90 planned samples of entities and 40 of 40 planned "
        "samples of titles, as soon as the evidence decided. The bounds of the rules hold however "
        "often one looks" in text
    )
    assert text.index("Sequential") < text.index("Each condition of the rules")
    run.manifest["sequential"]["stopped"] = False
    assert "Not stopped early: 4 looks and 40 of 90" in text_of(page_of(run))


def test_batches_are_listed_and_hold_for_one_look_unless_they_were_asked_for_more() -> None:
    run = runs.with_manifest(runs.told_run(), sequential=None)
    text = text_of(page_of(run))
    assert "Imported in 2 batches (1,500 rows, 2026-02-02 to 2026-02-03)." in text
    assert "tuesday.jsonl , 1,200 rows" in text
    assert "Every interval here holds for one look" in text
    every = text_of(page_of(run, replace(runs.evidence_of(run), sequential=True)))
    assert "The bounds of the rules hold however often one looks" in every


def test_a_probe_is_described_where_there_was_one() -> None:
    text = text_of(page_of(runs.told_run()))
    assert "in a warm probe of 12 samples: one request at a time, the variants in turn" in text
    assert "(60 requests)" in text
    assert "(60 requests, 1 of them failed)" in text
    assert "warm probe" not in text_of(page_of(runs.whole_run(40)))


def test_a_thousand_requests_have_their_unit() -> None:
    run = runs.whole_run(2, tasks=("entities",))
    base = runs.summaries_of(run)[-1]
    found = [replace(base, metric=m) for m in ("tokens_per_1k_requests", "cost_per_1k_requests")]
    page = render(run, runs.verdict(), [], found)
    assert "tokens_per_1k_requests ↓ lower is better in and out, 1,000 requests" in text_of(page)
    assert "cost_per_1k_requests ↓ lower is better 1,000 requests" in text_of(page)


def test_each_difference_names_its_method() -> None:
    text = text_of(page_of(runs.whole_run(2)))
    assert "How these intervals are made paired t zero_shot, few_shot, rag and adapter" in text


# ------------------------------------------------------------------- through the gate


def test_no_adapter_needed_is_the_headline_with_its_evidence(tmp_path: Any) -> None:
    page = write_report(runs.needless_run(), tmp_path / "r.html").read_text("utf-8")
    text = text_of(page)
    assert "<title>HOLD" in page
    assert "No adapter needed: 'few_shot' meets every target: exact_match >= 0.8 (0.95," in text
    assert "exact_match must stay at least 0.8" in text
    assert "Recommended few_shot" in text
    assert "exact_match must beat every variant without an adapter by more than 0.02" in text
    assert 'class="chip disproved">' in page.split("</header>")[0]
    assert 'class="chip disproved">' not in page.split("</header>")[1]


def test_scores_that_do_not_prove_the_targets_make_no_such_claim(tmp_path: Any) -> None:
    page = write_report(runs.needless_run(0.8), tmp_path / "r.html").read_text("utf-8")
    assert "<title>INVALID" in page
    assert "No adapter needed" not in page
    assert "its scores do not prove the targets" in page


def test_a_report_of_a_growing_run_can_be_looked_at_every_day(tmp_path: Any) -> None:
    run = runs.with_manifest(runs.told_run(60), sequential=None, staged=None)
    rule = Rule("exact_match", "non_inferior", versus="rag", margin=0.2)
    rules = RuleSet("hybrid", (rule,))
    once = write_report(run, tmp_path / "1.html", rules=rules).read_text("utf-8")
    every = write_report(run, tmp_path / "2.html", rules=rules, sequential=True)
    assert "betting confidence sequence" not in once
    assert "betting confidence sequence" in every.read_text("utf-8")


def test_the_self_check_is_not_made_of_scores_that_were_changed(tmp_path: Any) -> None:
    run = runs.whole_run(40)
    whole = write_report(run, tmp_path / "1.html").read_text("utf-8")
    changed = replace(run, tampered=("scores.parquet",))
    assert 'id="self-check"' in whole
    assert 'id="self-check"' not in write_report(changed, tmp_path / "2.html").read_text("utf-8")


# ------------------------------------------------------------------------------ whole


@pytest.mark.parametrize("evidence", [None, NOTHING])
@pytest.mark.parametrize(
    "make", [runs.told_run, runs.needless_run, runs.imported_run, runs.empty_run, runs.unscored_run]
)
def test_every_link_of_the_page_has_its_section(make: Any, evidence: Evidence | None) -> None:
    found = Elements(page_of(make(), evidence))
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    links = [attrs["href"] for tag, attrs in found.tags if tag == "a"]
    assert len(ids) == len(set(ids))
    assert {str(link).removeprefix("#") for link in links} <= set(ids)


def test_names_from_outside_change_no_element() -> None:
    def tags(payload: str) -> list[str]:
        run = runs.renamed_run(lambda s: f"{s}{payload}", runs.told_run(40))
        row = runs.rule_result(Status.SHIP, metric=payload, versus=payload, task=payload)
        checked = (Checked(row, 0.04, 0.9, 500, payload),)
        page = page_of(run, replace(runs.evidence_of(run), checked=checked))
        return [tag for tag, _ in Elements(page).tags]

    clean = tags("!")
    assert "td" in clean
    for payload in XSS:
        assert tags(payload) == clean
