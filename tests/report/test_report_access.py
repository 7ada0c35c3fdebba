"""Whoever reads it and whatever was written: axe, keyboard, print, hostile texts."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import report_runs as runs

from harness.store.runs import Run, outputs_table

pytestmark = pytest.mark.browser


def with_outputs(run: Run, change: Any) -> Run:
    return replace(run, outputs=outputs_table(map(change, run.outputs.to_pylist())))


# -------------------------------------------------------------------- everybody reads it


def axe(page: Any) -> list[str]:
    """What axe-core finds, as ``impact rule: element``."""
    source = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    page.evaluate(source)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['impact']} {v['id']}: {node['html'][:120]}"
        for v in found["violations"]
        for node in v["nodes"]
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing(opened: Any, width: int, scheme: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    run = runs.with_manifest(runs.told_run(30), judges=runs.judged_run().manifest["judges"])
    before = runs.with_manifest(run, seed=7)
    size = {"width": width, "height": 900}
    tab = opened(run, viewport=size, color_scheme=scheme, others=[("last week", before)])
    assert axe(tab.page) == []
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    assert axe(tab.page) == []


def test_everything_is_reached_by_keyboard_and_is_seen_to_be(opened: Any) -> None:
    tab = opened(runs.told_run(12))
    page = tab.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    wanted = page.evaluate(
        "() => [...document.querySelectorAll("
        "'a[href], button, input, select, summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility() && !e.disabled && !e.closest('dialog')"
        " && !(e.type === 'radio' && !e.checked)).length"
    )
    seen = 1
    lost = []
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        about = page.evaluate(
            "() => { const e = document.activeElement;"
            " const s = getComputedStyle(e.closest('label') ?? e);"
            " return [e.tagName, e.className || e.id || e.textContent.slice(0, 20),"
            " s.outlineStyle !== 'none' || getComputedStyle(e).outlineStyle !== 'none']; }"
        )
        if about[0] == "BODY":
            break
        seen += 1
        if not about[2]:
            lost.append(about)
    assert seen >= wanted
    assert lost == []


def test_in_print_there_are_the_verdict_and_every_warning_and_no_controls(opened: Any) -> None:
    run = runs.with_manifest(runs.whole_run(4), warnings=["Nobody looked at this."])
    tab = opened(run)
    tab.page.emulate_media(media="print", color_scheme="dark")
    for selector in ("h1", "#rules", "#warnings", "#provenance"):
        assert tab.page.is_visible(selector)
    assert "Nobody looked at this." in tab.page.inner_text("#warnings")
    for selector in ("#samples", ".bar", ".baseline-choice", ".chapter nav"):
        assert not tab.page.is_visible(selector)
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )


# ------------------------------------------------------------------------ hostile texts


def test_texts_of_100_kb_in_every_field_break_no_layout(opened: Any) -> None:
    long = "\u202e<b>" + "x" * 100_000 + "\u0301" * 50 + "👩‍👩‍👧"
    run = runs.whole_run(2, tasks=("entities",))
    fields = ("input", "prompt", "output", "error", "finish_reason")
    run = with_outputs(
        run,
        lambda r: {
            **r,
            **dict.fromkeys(fields, long),
            "target": json.dumps([long]),
            "metadata": '{"broken": "\\ud800 \\udfff", "list": [1]}',
            "retrieved": json.dumps([{"id": long, "score": 1, "text": long}]),
        },
    )
    tab = opened(run, viewport={"width": 360, "height": 800})
    wide = "document.documentElement.scrollWidth"
    assert tab.page.evaluate(wide) <= 360
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    assert tab.page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    assert "U+202E" in tab.page.locator("dialog .panel").first.inner_text()
    assert tab.messages == []


def test_names_that_no_address_can_hold_still_have_a_link(opened: Any) -> None:
    run = runs.renamed_run(lambda s: f"{s}/#?% \u202e🛳️")
    tab = opened(run)
    tab.page.locator(".line").first.click()
    tab.page.wait_for_selector("dialog[open]")
    title = tab.page.inner_text("#drawer-title")
    fragment = tab.page.evaluate("location.hash")
    again = tab.open(fragment)
    again.page.reload()
    again.page.wait_for_selector("dialog[open]")
    assert again.page.inner_text("#drawer-title") == title
    assert tab.messages == []
