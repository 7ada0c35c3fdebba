"""What stands beside the page: images and Markdown; and what no report can be made of."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import report_runs as runs
from click.testing import CliRunner
from test_report_beside import stored
from test_report_page import XSS, page_of

from harness.cli import cli
from harness.errors import RunError
from harness.report import write_report
from harness.report.images import can_png
from harness.report.summary import LONGEST, md
from harness.store.runs import read_run
from harness.types import Status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return stored(tmp_path / "now", runs.whole_run(40))


# ------------------------------------------------------------------- images, Markdown


def test_the_main_plots_are_written_as_images(folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    done = CliRunner().invoke(
        cli,
        ["report", str(folder), "--out", str(tmp_path / "r.html"), "--images", str(images)],
    )
    assert done.exit_code == 0, done.output
    names = {p.stem for p in images.glob("*.svg")}
    assert {"rules", "differences-entities", "frontier-entities-tokens_per_1k_requests"} <= names
    assert {"slices-titles-exact_match", "training-adapter"} <= names
    for path in images.glob("*.svg"):
        root = ET.fromstring(path.read_text("utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    if can_png():
        assert {p.stem for p in images.glob("*.png")} == names
        assert all(p.read_bytes().startswith(b"\x89PNG") for p in images.glob("*.png"))


@pytest.mark.parametrize(
    "payload",
    [" ".join(XSS[:6]), " ".join(XSS[6:]), "\ufffe\uffff \U000e0041a/../../b" + "🛳️" * 200],
)
def test_images_and_markdown_are_inert_whatever_a_variant_is_called(
    payload: str, tmp_path: Path
) -> None:
    run = runs.renamed_run(lambda s: f"{s}{payload}")
    for rule in run.manifest["rules"]["rule"]:
        rule["role"] = rule["role"].removesuffix(payload)
    folder = stored(tmp_path / "run", run)
    images, summary = tmp_path / "images", tmp_path / "s.md"
    write_report(folder, tmp_path / "r.html", images=images, markdown=summary)
    tags = set()
    for path in images.glob("*.svg"):
        assert path.parent == images
        tags |= {e.tag.rsplit("}", 1)[1] for e in ET.fromstring(path.read_text("utf-8")).iter()}
    assert tags <= {
        *("svg", "title", "rect", "text", "tspan", "line", "circle", "path", "g", "polyline"),
    }
    text = summary.read_text("utf-8")
    left = re.sub(r"</?(details|summary)>|<br>", "", text)
    assert "<" not in left.replace("&lt;", "")
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", text)


def test_the_summary_says_the_verdict_each_rule_and_every_warning(
    folder: Path, tmp_path: Path
) -> None:
    from harness import gate

    summary = tmp_path / "deep" / "s.md"
    write_report(folder, tmp_path / "r.html", markdown=summary)
    text = summary.read_text("utf-8")
    verdict = gate.decide(read_run(folder))
    assert text.startswith("## ")
    assert verdict.status.value in text.splitlines()[0]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "must" in line]
    assert len(rows) == len(verdict.rules)
    order = [("invalid", "disproved", "open", "proved").index(r.split()[2]) for r in rows]
    assert order == sorted(order)  # What stands in the way is read first.
    assert "No Git commit is known." in text


def test_a_long_summary_is_cut_and_says_so(tmp_path: Path) -> None:
    run = runs.with_manifest(
        runs.whole_run(4), warnings=["word " * 50 + str(i) for i in range(900)]
    )
    folder = stored(tmp_path / "run", run)
    summary = tmp_path / "s.md"
    write_report(folder, tmp_path / "r.html", markdown=summary)
    text = summary.read_text("utf-8")
    assert len(text) < LONGEST + 100
    assert re.search(r"\d+ more lines are in the report\.$", text.strip())


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("@team", "@\u2060team"),
        ("https://x.y", "https:\u2060//x.y"),
        ("x" * 301, "x" * 300 + " … \\(301 characters\\)"),
    ],
)
def test_markdown_says_just_the_text(given: str, want: str) -> None:
    shown = md(given)
    assert shown == want


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("version", [0, 99])
def test_a_run_of_another_schema_is_refused_with_the_remedy(
    version: int, folder: Path, tmp_path: Path
) -> None:
    manifest = json.loads((folder / "run.json").read_text())
    manifest["schema_version"] = version
    (folder / "run.json").write_text(json.dumps(manifest))
    out = tmp_path / "r.html"
    done = CliRunner().invoke(cli, ["report", str(folder), "--out", str(out)])
    assert isinstance(done.exception, (RunError, SystemExit))
    said = str(done.exception) + done.output
    assert f"schema version {version}" in said
    assert ("Upgrade" if version else "Measure again") in said
    assert not out.exists()


def test_what_is_missing_does_not_keep_the_rest_from_being_shown(tmp_path: Path) -> None:
    """No judge, no training, one variant, all unscored: each gives a page, images and Markdown."""
    odd = (
        runs.single_variant_run(),
        runs.unscored_run(),
        runs.imported_run(),
        runs.empty_run(),
        runs.with_manifest(runs.whole_run(3), training={}),
    )
    for i, run in enumerate(odd):
        folder = stored(tmp_path / f"run {i} 🛳️", run)
        out, summary = tmp_path / f"{i}.html", tmp_path / f"{i}.md"
        write_report(folder, out, images=tmp_path / f"images {i}", markdown=summary)
        assert out.read_text("utf-8").rstrip().endswith("</html>")
        assert summary.read_text("utf-8").startswith("## ")


def test_every_verdict_has_a_summary_line_of_its_own() -> None:
    pages = {s: page_of(runs.whole_run(2), runs.verdict(s)) for s in Status}
    assert all(f"<title>{s.value}" in page for s, page in pages.items())
