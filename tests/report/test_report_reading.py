"""What a reader does with the samples and tables: flips, differences, links, exports, baselines."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_runs as runs
from browsing import Tab, line_words

from harness import compare
from harness.report import render
from harness.report.words import interval, number
from harness.store.runs import Run, outputs_table, write_run

pytestmark = pytest.mark.browser


def values_of(run: Run, metric: str = "exact_match") -> dict[tuple[str, str], Any]:
    return {
        (r["sample_id"], r["variant"]): r["value"]
        for r in run.scores.to_pylist()
        if r["metric"] == metric
    }


def with_outputs(run: Run, change: Any) -> Run:
    return replace(run, outputs=outputs_table(map(change, run.outputs.to_pylist())))


# ------------------------------------------------------------------ finding a sample


def test_regressions_come_first_then_what_was_fixed(opened: Any) -> None:
    run = runs.whole_run(40, tasks=("entities",))
    tab = opened(run)
    tab.page.set_viewport_size({"width": 1280, "height": 2000})
    tab.page.select_option("#metric", label="exact_match")
    tab.page.select_option("#versus", label="rag")
    found = values_of(run)
    pairs = [(found[i, "hybrid"], found[i, "rag"]) for i in {i for i, _ in found}]
    regressed = sum(a == 0 and b == 1 for a, b in pairs)
    fixed = sum(a == 1 and b == 0 for a, b in pairs)
    assert tab.page.input_value("#sort") == "flips"
    tab.page.evaluate("document.getElementById('table').scrollTop = 0")
    words = line_words(tab.page, ".c-delta small")
    assert regressed
    assert words[:regressed] == ["regressed"] * regressed
    rest = words[regressed : regressed + fixed]
    assert rest == ["fixed"] * len(rest)


def test_without_another_variant_right_and_wrong_are_counted(opened: Any) -> None:
    run = runs.whole_run(40, tasks=("entities",))
    tab = opened(run)
    tab.page.select_option("#versus", label="nothing")
    found = [v for (_, name), v in values_of(run).items() if name == "hybrid"]
    assert tab.counts() == {
        "All": len(found),
        "Right": sum(v == 1 for v in found),
        "Wrong": sum(v == 0 for v in found),
        "Unscored": sum(v is None for v in found),
    }


def test_slices_and_score_ranges_leave_out_the_others(opened: Any) -> None:
    run = runs.whole_run(40, tasks=("entities",))
    tab = opened(run)
    sources = {r["sample_id"]: json.loads(r["metadata"]) for r in run.outputs.to_pylist()[::5]}
    # The metadata of a sample are those of its first variant.
    law = sum(about["source"] == "law" for about in sources.values())
    tab.page.select_option("#slice", label="source = law")
    assert tab.counts()["All"] == law
    tab.page.select_option("#slice", label="all")
    tab.page.select_option("#metric", label="rouge_l")
    tab.page.fill("#from", "0.2")
    tab.page.fill("#to", "0.6")
    own = [v for (_, name), v in values_of(run, "rouge_l").items() if name == "hybrid"]
    want = sum(v is not None and 0.2 <= v <= 0.6 for v in own)
    assert want
    assert tab.counts()["All"] == want


def test_all_variants_may_stand_side_by_side(opened: Any) -> None:
    tab = opened(runs.whole_run(9))
    tab.page.check("#all")
    heads = tab.page.locator("#thead [role=columnheader]").all_inner_texts()
    assert set(runs.VARIANTS) <= set(heads)
    assert tab.page.locator(".line").first.locator(".c-answer").count() == len(runs.VARIANTS)
    wide = "document.documentElement.scrollWidth"
    assert tab.page.evaluate(wide) <= 1280


# ------------------------------------------------------------------- reading a sample


def test_words_that_differ_from_the_target_and_from_a_variant_are_marked(opened: Any) -> None:
    said = {"hybrid": "served on 3 May by post", "rag": "served on 4 May by post"}
    run = with_outputs(
        runs.whole_run(1, tasks=("entities",)),
        lambda r: {
            **r,
            "target": json.dumps(["served on 3 May by hand"]),
            "output": said.get(r["variant"], "served on 3 May by hand"),
        },
    )
    tab = opened(run)
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    panel = tab.page.locator("dialog .panel", has=tab.page.locator("h3 bdi:text-is('hybrid')"))
    assert panel.locator("ins.added").all_inner_texts() == ["post"]
    assert panel.locator("del.missing").all_inner_texts() == ["hand"]
    same = tab.page.locator("dialog .panel", has=tab.page.locator("h3 bdi:text-is('adapter')"))
    assert "= word for word the target" in same.inner_text()
    tab.page.select_option("#base", label="rag")
    panel.locator("ins.added:text-is('3')").wait_for()
    assert panel.locator("ins.added").all_inner_texts() == ["3"]
    assert panel.locator("del.missing").all_inner_texts() == ["4"]
    assert tab.messages == []


def test_very_long_answers_are_not_marked_and_that_is_said(opened: Any) -> None:
    draw = random.Random(1)
    long = " ".join(f"w{draw.randrange(9999)}" for _ in range(20_000))
    run = with_outputs(runs.whole_run(1, tasks=("entities",)), lambda r: {**r, "output": long})
    tab = opened(run)
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    assert "Too long or too different to mark" in tab.page.locator("dialog .answers").inner_text()


def test_a_sample_shows_its_prompt_passages_scores_reasons_and_rationales(
    tmp_path: Path, chromium: Any
) -> None:
    from harness.report import write_report

    run = runs.judged_run(3)
    table = runs.judgments(run)
    folder = write_run(tmp_path / "run", run.manifest, run.outputs, run.scores, judgments=table)
    file = write_report(folder, tmp_path / "r.html")
    page = chromium.new_page()
    tab = Tab(page, file).open("#sample=entities/entities-00001")
    page.wait_for_selector("dialog[open]")
    page.evaluate("document.querySelectorAll('dialog details').forEach(d => { d.open = true; })")
    text = page.locator("dialog").inner_text()
    row = next(
        r
        for r in run.outputs.to_pylist()
        if (r["sample_id"], r["variant"]) == ("entities-00001", "rag")
    )
    assert "<|im_start|>assistant" in text
    assert all(p["text"] in text for p in json.loads(row["retrieved"]))
    assert "Because of" in text
    assert "judge_tone · small · repeat 1 · forward" in text
    assert tab.messages == []
    page.close()


# --------------------------------------------------------------------- links and files


def test_a_link_opens_a_sample_that_the_filters_leave_out_and_says_what_is_not_there(
    opened: Any,
) -> None:
    tab = opened(runs.whole_run(20))
    tab.page.fill("#query", "nothing has this")
    tab.page.wait_for_selector("text=No sample fits these filters.")
    tab.page.evaluate("location.hash = '#sample=titles/titles-00007'")
    tab.page.wait_for_selector("#drawer-title:has-text('titles-00007')")
    assert tab.page.is_disabled("#next")
    tab.page.keyboard.press("Escape")
    tab.page.evaluate("location.hash = '#sample=titles/gone'")
    tab.page.wait_for_selector("text=This file holds no sample 'gone' of task 'titles'.")


def test_a_sample_is_copied_as_json_and_as_a_link(opened: Any) -> None:
    run = runs.whole_run(5, tasks=("entities",))
    tab = opened(run, "#sample=entities/entities-00002")
    tab.page.wait_for_selector("dialog[open]")
    copied = (
        "() => new Promise(done => document.addEventListener('paste', "
        "e => { e.preventDefault(); done(e.clipboardData.getData('text')); }, { once: true }))"
    )

    def pasted() -> str:
        with tab.page.expect_event("console") as said:
            tab.page.evaluate(f"({copied})().then(text => console.log('PASTED' + text)) && null")
            tab.page.keyboard.press("Control+V")
        tab.messages.clear()
        return str(said.value.text).removeprefix("PASTED")

    tab.page.click("#copy-json")
    tab.page.wait_for_selector("#said:text-is('Copied as JSON.')")
    record = json.loads(pasted())
    rows = {r["variant"]: r for r in run.outputs.to_pylist() if r["sample_id"] == "entities-00002"}
    assert record["sample_id"] == "entities-00002"
    assert set(record["variants"]) == set(runs.VARIANTS)
    for name, about in record["variants"].items():
        assert about["output"] == rows[name]["output"]
        assert about["prompt"] == rows[name]["prompt"]
        want = values_of(run)["entities-00002", name]
        assert about["scores"]["exact_match"]["value"] == want
    tab.page.click("#copy-link")
    tab.page.wait_for_selector("#said:text-is('Link copied.')")
    assert pasted() == tab.address + "#sample=entities/entities-00002"


def test_what_is_shown_is_downloaded_as_csv_that_no_spreadsheet_runs(opened: Any) -> None:
    run = runs.whole_run(12, tasks=("entities",))
    run = with_outputs(
        run, lambda r: {**r, "output": '=HYPERLINK("x")' if r["variant"] == "rag" else r["output"]}
    )
    tab = opened(run)
    tab.page.check("#all")
    tab.page.check("#show input[value=unscored]", force=True)
    n = tab.counts()["Unscored"]
    with tab.page.expect_download() as download:
        tab.page.click("#csv")
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == n * len(runs.VARIANTS)
    found = values_of(run)
    outputs = {(r["sample_id"], r["variant"]): r["output"] for r in run.outputs.to_pylist()}
    for row in rows:
        key = row["sample_id"], row["variant"]
        want = found[key]
        assert row["exact_match"] == ("" if want is None else f"{want:g}")
        assert row["output"].removeprefix("'") == outputs[key]
        assert not row["output"].startswith("=")
    assert tab.messages == []


# -------------------------------------------------------------------------- baselines


def test_a_table_shows_the_differences_to_the_chosen_baseline(opened: Any) -> None:
    run = runs.whole_run(40, tasks=("entities",))
    rows = compare.comparisons(run)
    page = render(run, runs.verdict(), rows, compare.summaries(run))
    tab = opened(run, page=page)
    cells = tab.page.locator("#metrics-0 td[data-cell]")
    before = cells.all_inner_texts()
    tab.page.locator("select.baseline").first.select_option(label="few_shot")
    tab.page.wait_for_selector("#metrics-0.differing")
    text = tab.page.inner_text("#metrics-0")
    for c in rows:
        if c.versus == "few_shot":
            assert number(c.estimate, signed=True) in text
            assert interval(c.ci_low, c.ci_high, signed=True, limits=(0.0,)) in text
    assert cells.all_inner_texts().count("baseline") == 2
    tab.page.locator("select.baseline").first.select_option(index=0)
    tab.page.wait_for_selector("#metrics-0:not(.differing)")
    assert cells.all_inner_texts() == before
    assert tab.messages == []
