"""The page as its readers use it: a headless Chromium, from disk, without a network."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import pytest
import report_runs as runs
from browsing import line_words
from test_report_page import XSS

pytestmark = pytest.mark.browser


def test_it_opens_from_disk_and_asks_for_nothing(opened: Any) -> None:
    tab = opened(runs.whole_run(30))
    assert tab.page.url.startswith("file://")
    assert tab.page.inner_text("h1") == "HOLD"
    tab.page.locator(".line").first.click()
    assert tab.requests == [tab.address]
    assert tab.messages == []


def test_filters_count_and_show_the_same_samples(opened: Any) -> None:
    run = runs.whole_run(40)
    tab = opened(run)
    values = {
        (r["task"], r["sample_id"], r["variant"]): r["value"]
        for r in run.scores.to_pylist()
        if r["metric"] == "exact_match"
    }
    keys = sorted({(task, sample) for task, sample, _ in values})
    pairs = [(values[*k, "hybrid"], values[*k, "rag"]) for k in keys]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    want = {
        "All": len(keys),
        "Regressed": sum(a < 0.5 <= b for a, b in known),
        "Fixed": sum(b < 0.5 <= a for a, b in known),
        "Better": sum(a > b for a, b in known),
        "Worse": sum(a < b for a, b in known),
        "Tie": sum(a == b for a, b in known),
        "Unscored": len(pairs) - len(known),
    }
    tab.page.select_option("#versus", label="rag")
    assert tab.counts() == want
    said = {"Better": "fixed", "Worse": "regressed"}  # Of a binary metric they are the same.
    for word in ("Regressed", "Fixed", "Better", "Worse", "Tie", "Unscored"):
        tab.page.check(f"#show input[value={word.lower()}]", force=True)
        assert tab.found.startswith(f"{want[word]} of {len(keys)} samples")
        shown = tab.page.locator(".line .c-delta small").all_inner_texts()
        assert set(shown) <= {said.get(word, word.lower())}
        assert bool(shown) == bool(want[word])
    tab.page.check("#show input[value=all]", force=True)
    tab.page.select_option("#task", label="titles")
    assert tab.counts()["All"] == 40


def test_search_reads_ids_inputs_and_answers(opened: Any) -> None:
    run = runs.whole_run(150)
    rows = run.outputs.to_pylist()
    needle = rows[-1]["output"].upper()
    tab = opened(run)
    tab.page.fill("#query", needle)
    tab.page.wait_for_selector("#found:not(:has-text('300 of 300'))")
    hits = {
        (r["task"], r["sample_id"])
        for r in rows
        if any(needle.lower() in str(r[c]).lower() for c in ("input", "target", "output"))
    }
    assert tab.found.startswith(f"{len(hits)} of 300 samples")
    tab.page.fill("#query", "titles-00149")
    tab.page.wait_for_selector("#found:has-text('1 of 300')")
    tab.page.wait_for_selector(".line:has-text('titles-00149')")
    tab.page.fill("#query", "/titles-0014[0-4]/")
    tab.page.wait_for_selector("#found:has-text('5 of 300')")
    tab.page.fill("#query", "/(unclosed/")
    tab.page.wait_for_selector("#found:has-text('300 of 300')")
    assert not tab.page.evaluate("document.getElementById('query').validity.valid")
    tab.page.fill("#query", "no such text anywhere")
    tab.page.wait_for_selector("text=No sample fits these filters.")


def test_sorting_puts_the_worst_first_and_the_unscored_last(opened: Any) -> None:
    tab = opened(runs.whole_run(12, tasks=("entities",)))
    tab.page.select_option("#metric", label="rouge_l")
    tab.page.set_viewport_size({"width": 1280, "height": 2000})
    tab.page.select_option("#sort", "worst")
    tab.page.wait_for_timeout(200)
    cells = line_words(tab.page, ".c-delta")
    assert len(cells) >= 8
    numbers = [
        float(c.split()[1].replace("−", "-").replace("+", "")) for c in cells if "–" not in c
    ]
    assert numbers == sorted(numbers)
    unscored = [i for i, c in enumerate(cells) if "–" in c]
    assert all(i >= len(numbers) for i in unscored)


def test_the_drawer_opens_moves_and_closes_by_keyboard(opened: Any) -> None:
    run = runs.whole_run(300, tasks=("entities",))
    tab = opened(run)
    page = tab.page
    page.select_option("#sort", "order")
    page.focus("#table")
    page.keyboard.press("End")
    page.wait_for_selector(".line.active:has-text('entities-00299')")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert "entities-00001" in page.inner_text("#drawer-title")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#drawer-title:has-text('entities-00002')")
    sample = [r for r in run.outputs.to_pylist() if r["sample_id"] == "entities-00002"]
    page.select_option("#base", label="nothing")
    body = page.locator("#drawer-body").text_content()
    for row in sample:
        assert row["output"] in body
        assert row["prompt"] in body
    assert "doc-2" in body
    assert page.url.endswith("#sample=entities/entities-00002")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="hidden")
    assert page.evaluate("document.activeElement.id") == "table"
    assert tab.messages == []


def test_a_link_opens_its_sample(opened: Any) -> None:
    tab = opened(runs.whole_run(200), "#sample=titles/titles-00170")
    tab.page.wait_for_selector("dialog[open]")
    assert "titles-00170" in tab.page.inner_text("#drawer-title")


def test_nothing_that_was_written_by_others_runs(opened: Any) -> None:
    # Each text gets the payload that its own content picks, so that names stay consistent.
    name = lambda s: s + XSS[zlib.crc32(s.encode()) % len(XSS)]  # noqa: E731
    tab = opened(runs.renamed_run(name, runs.told_run(6)))
    page = tab.page
    for payload in XSS:
        page.fill("#query", payload)
    page.fill("#query", "")
    page.locator(".line").first.click()
    for _ in range(12):
        page.wait_for_selector("dialog[open]")
        for summary in page.locator("dialog summary").all():
            summary.click()
        page.keyboard.press("ArrowRight")
    assert page.evaluate("window.pwned") is None
    assert page.locator("iframe, img, math, object, embed, [onerror], [onload]").count() == 0
    assert tab.requests == [tab.address]
    assert tab.messages == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_scrolls_sideways(opened: Any, width: int, scheme: str) -> None:
    long = "pneumonoultramicroscopicsilicovolcanoconiosis" * 5
    run = runs.renamed_run(lambda s: f"{s}{long}", runs.told_run(6))
    tab = opened(run, viewport={"width": width, "height": 780}, color_scheme=scheme)
    for summary in tab.page.locator("main summary").all():
        summary.click()
    wide = "document.documentElement.scrollWidth"
    assert tab.page.evaluate(wide) <= width
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    assert tab.page.evaluate("document.querySelector('dialog').scrollWidth") <= width
    assert tab.page.evaluate(wide) <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(opened: Any, scheme: str) -> None:
    tab = opened(runs.told_run(30), color_scheme=scheme)
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    assert tab.page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize(
    "make",
    [runs.imported_run, runs.single_variant_run, runs.empty_run, runs.unscored_run],
)
def test_odd_runs_open_without_a_complaint(opened: Any, make: Any) -> None:
    run = make()
    tab = opened(run)
    if tab.page.locator(".line").count():
        tab.page.locator(".line").first.click()
        tab.page.wait_for_selector("dialog[open]")
    assert tab.messages == []


def test_a_very_long_answer_is_cut_says_so_and_opens(opened: Any) -> None:
    run = runs.whole_run(1, tasks=("entities",))
    rows = [{**r, "output": "word " * 20_000} for r in run.outputs.to_pylist()]
    tab = opened(replace(run, outputs=runs.outputs_table(rows)))
    tab.page.locator(".line").first.click()
    tab.page.select_option("#base", label="nothing")
    button = tab.page.locator("dialog button.more").first
    assert button.inner_text() == "Show all 100,000 characters"
    button.click()
    assert len(tab.page.locator("dialog .answers .text").first.text_content()) == 100_000


# Every text node against the nearest opaque background behind it, by WCAG 2's formula.
LOW_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (c) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const words = walk.currentNode.data.trim().slice(0, 40);
    if (!words || !e.checkVisibility() || e.closest('script, :disabled')) continue;
    const s = getComputedStyle(e);
    const [a, b] = [light(rgba(e instanceof SVGElement ? s.fill : s.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${e.className} ${words}`);
  }
  return bad;
}"""
