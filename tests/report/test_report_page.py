"""The page as text: what it says of whole and odd runs, that it is inert, that it repeats."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import report_runs as runs

from harness.report import render
from harness.store.runs import Run
from harness.types import Comparison, Status, Summary, Verdict

XSS = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 2</script>",
    '"><img src=x onerror="window.pwned = 3">',
    "' autofocus onfocus='window.pwned = 4",
    "<svg/onload=window.pwned=5>",
    "<!--<script>",
    "]]><iframe srcdoc='<script>parent.pwned=6</script>'>",
    "{{ 7 * 7 }}{% include 'report.html.j2' %}",
    "javascript:window.pwned=8",
    "</style><style>*{display:none}</style>",
    "&lt;b&gt; \u202egnitirwrever\u202c \u2066\u2069 \u200b \x00\x1b[31m",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=pwned=9>",
    "$&$1`${window.pwned = 10}",
)


def page_of(
    run: Run,
    verdict: Verdict | None = None,
    comparisons: list[Comparison] | None = None,
    summaries: list[Summary] | None = None,
) -> str:
    return render(
        run,
        verdict or runs.verdict(rules=runs.mixed_rules()),
        runs.comparisons_of(run) if comparisons is None else comparisons,
        runs.summaries_of(run) if summaries is None else summaries,
    )


class Elements(HTMLParser):
    """Tags with their attributes, and the text of each ``script`` and ``style``."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[self.cdata_elem][-1] += data
        else:
            self.text += data + " "


def blocks(page: str) -> dict[str, Any]:
    """The embedded samples, unpacked: block name to content."""
    found = re.findall(r'<script type="text/plain" id="block-([\w-]+)">([^<]*)</script>', page)
    return {name: json.loads(zlib.decompress(base64.b64decode(text))) for name, text in found}


# ------------------------------------------------------------------------ what it says


@pytest.mark.parametrize("status", list(Status))
def test_each_verdict_is_said_in_one_word_and_one_sentence(status: Status) -> None:
    page = page_of(runs.whole_run(2), runs.verdict(status))
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.S)
    sentence = re.search(r'<p class="sentence"[^>]*>(.*?)</p>', page, re.S)
    assert heading is not None
    assert sentence is not None
    assert re.sub(r"<.*?>", "", heading[1]).split() == [status.value]
    assert "hybrid" in sentence[1]


def test_rules_are_shown_with_numbers_demands_and_reasons() -> None:
    text = Elements(page_of(runs.whole_run(2))).text
    assert "must beat every variant without an adapter by more than 0.02" in text
    assert "must trail rag by less than 0.01" in text
    assert "must stay at most 0.2" in text
    assert "+0.110 to +0.270" in text
    assert "n = 400, 2 unscored" in text
    assert "About 320 more samples would decide it." in text
    assert "The judge has no calibration." in text
    assert "advisory, never decides" in text


def test_warnings_of_the_run_and_of_the_verdict_are_each_shown_once() -> None:
    said = ("Rule 2: one side is constant.", "No Git commit is known.")
    page = page_of(runs.whole_run(2), runs.verdict(warnings=said))
    assert [page.count(text) for text in said] == [1, 1]


def test_a_changed_run_folder_is_shown_as_changed() -> None:
    page = page_of(replace(runs.whole_run(2), tampered=("scores.parquet",)))
    assert "scores.parquet changed after the run was written" in page
    assert page.count("changed since it was written") == 1


def test_the_reason_of_every_unscored_value_is_counted() -> None:
    run = runs.unscored_run()
    text = " ".join(Elements(page_of(run)).text.split())
    for variant in runs.VARIANTS:
        assert f"5 entities {variant} exact_match timeout" in text


def test_the_best_mean_is_marked_where_there_is_something_to_be_better_than() -> None:
    run = runs.whole_run(2, tasks=("entities",))
    assert page_of(run, summaries=runs.summaries_of(run)).count("★ best</b></span>") == 2
    tied = [replace(s, estimate=0.5) for s in runs.summaries_of(run)]
    assert page_of(run, summaries=tied).count("★ best</b></span>") == 0


def test_lower_is_better_moves_the_mark() -> None:
    run = runs.whole_run(2, tasks=("entities",))
    for info in run.manifest["tasks"]["entities"]["metrics"].values():
        info["higher_is_better"] = False
    row = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*★ best</b></span>", page_of(run), re.S)
    assert len(row) == 1
    assert "<bdi>zero_shot</bdi>" in row[0]


# --------------------------------------------------------------------------- odd runs

NO_RULES = Verdict(Status.INVALID, None, None)


def odd_runs() -> dict[str, tuple[Run, Verdict]]:
    whole = runs.whole_run(3)
    bare = runs.bare_manifest(dict.fromkeys(runs.VARIANTS), dict.fromkeys(("entities", "titles")))
    return {
        "no rules": (runs.with_manifest(whole, rules=None), NO_RULES),
        "no training": (runs.with_manifest(whole, training={}), runs.verdict()),
        "nothing but keys": (Run(None, bare, whole.outputs, whole.scores), NO_RULES),
        "imported": (runs.imported_run(), runs.verdict(candidate="gpt", recommendation=None)),
        "one variant": (runs.single_variant_run(), runs.verdict(candidate="adapter")),
        "no samples": (runs.empty_run(), runs.verdict(Status.INVALID)),
        "all unscored": (runs.unscored_run(), runs.verdict(Status.INVALID)),
        "odd names": (runs.renamed_run(lambda s: f"a/b\\{s} 🛳️ é"), NO_RULES),
        "no scores": (Run(None, whole.manifest, whole.outputs, whole.scores.slice(0, 0)), NO_RULES),
    }


@pytest.mark.parametrize("name", list(odd_runs()))
def test_odd_runs_give_a_whole_page(name: str) -> None:
    run, verdict = odd_runs()[name]
    page = page_of(run, verdict, comparisons=[], summaries=[])
    assert page.rstrip().endswith("</html>")
    assert verdict.status.value in page
    n = len(set(zip(*(run.scores[c].to_pylist() for c in ("task", "sample_id")), strict=True)))
    n = n or len(
        set(zip(*(run.outputs[c].to_pylist() for c in ("task", "sample_id")), strict=True))
    )
    assert ("This run holds no samples." in page) == (n == 0)
    if n:
        assert len(blocks(page)["index"]["ids"]) == n


# ---------------------------------------------------------------------------- samples


def test_every_output_and_score_survives_the_embedding() -> None:
    run = runs.whole_run(150, tasks=("entities",))  # More than one block.
    found = blocks(page_of(run))
    index = found["index"]
    size = index["blockSize"]
    outputs = {(r["sample_id"], r["variant"]): r for r in run.outputs.to_pylist()}
    for i, sample_id in enumerate(index["ids"]):
        text = found[f"text-{i // size}"][i % size]
        detail = found[f"detail-{i // size}"][i % size]
        for v, variant in enumerate(index["variants"]):
            row = outputs[sample_id, variant]
            assert text["output"][v] == row["output"]
            assert text["input"].join(detail["prompt"][v]) == row["prompt"]
            assert detail["retrieved"][v] == row["retrieved"]
    at = {sample_id: i for i, sample_id in enumerate(index["ids"])}
    for row in run.scores.to_pylist():
        i, v = at[row["sample_id"]], index["variants"].index(row["variant"])
        m = index["metrics"].index(row["metric"])
        assert index["scores"][m][v][i] == row["value"]
        if row["value"] is None:
            assert [m, v, row["reason"]] in found[f"text-{i // size}"][i % size]["reasons"]


# ------------------------------------------------------------------------------ inert


def test_what_others_wrote_adds_no_element_and_no_attribute() -> None:
    clean = Elements(page_of(runs.renamed_run(lambda s: f"{s}!"), comparisons=[], summaries=[]))
    shapes = {(tag, frozenset(attrs)) for tag, attrs in clean.tags}
    for payload in XSS:
        run = runs.renamed_run(lambda s, p=payload: f"{s}{p}")
        verdict = runs.verdict(
            candidate=payload,
            recommendation=payload,
            warnings=(payload,),
            rules=(runs.rule_result(Status.HOLD, metric=payload, versus=payload, reason=payload),),
        )
        page = page_of(run, verdict, comparisons=[], summaries=[])
        found = Elements(page)
        strange = {(tag, frozenset(attrs)) for tag, attrs in found.tags} - shapes
        # The verdict above has a row and a mark that the clean page has not.
        assert {tag for tag, _ in strange} <= {"b", "li", "p", "ul", "section", "h2", "tr", "small"}
        assert not [a for _, attrs in found.tags for a in attrs if a.startswith("on")]
        assert len(found.raw["style"]) == 1
        assert sum("type" not in a for tag, a in found.tags if tag == "script") == 1
        assert not [
            a for _, a in found.tags if not (a.get("href") or "#").startswith(("#", "data:"))
        ]


def test_hidden_characters_are_made_visible() -> None:
    run = runs.with_manifest(runs.whole_run(2), suite="safe\u202eevil\x00\ud800")
    page = page_of(run)
    page.encode("utf-8")
    assert "safe⟨U+202E⟩evil⟨U+0000⟩\ufffd" in page


def test_only_the_page_s_own_script_and_style_may_run() -> None:
    page = page_of(runs.whole_run(2))
    found = Elements(page)
    policy = next(a["content"] for tag, a in found.tags if "http-equiv" in a)
    assert policy is not None
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    script = next(text for text in found.raw["script"] if "use strict" in text)
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == digest(script)
    assert rules["style-src"] == digest(found.raw["style"][0])
    assert not [attrs for _, attrs in found.tags if "style" in attrs]


def test_the_same_run_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib, report_runs as r; from harness.report import render; run = r.whole_run(9);"
        "v = r.verdict(rules=r.mixed_rules());"
        "p = render(run, v, r.comparisons_of(run), r.summaries_of(run));"
        "print(hashlib.sha256(p.encode()).hexdigest())"
    )
    run = runs.whole_run(9)
    here = hashlib.sha256(page_of(run).encode()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert there.stdout.strip() == here
