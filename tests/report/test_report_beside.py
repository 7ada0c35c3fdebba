"""Several runs in one report, runs too large for one, and what stands beside the page."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import report_runs as runs
from click.testing import CliRunner
from test_report_page import Elements, blocks

from harness import compare
from harness.cli import cli
from harness.errors import RunError, UsageError
from harness.report import write_report
from harness.report.changes import changes
from harness.report.words import interval, number
from harness.store.runs import Run, outputs_table, read_run, scores_table, write_run


def stored(folder: Path, run: Run) -> Path:
    return write_run(folder, run.manifest, run.outputs, run.scores)


def changed(run: Run, edit: Callable[[dict[str, Any]], None]) -> Run:
    manifest = copy.deepcopy(run.manifest)
    edit(manifest)
    return replace(run, manifest=manifest)


def last_week(run: Run) -> Run:
    """Another adapter, another torch, one task with another prompt, and worse answers."""

    def edit(m: dict[str, Any]) -> None:
        m["variants"]["adapter"]["recipe"]["adapter"]["lora_r"] = 8
        m["environment"]["packages"]["torch"] = "2.12.0"
        m["tasks"]["entities"]["prompt"] = "Find entities: {input}"
        m["created"] = "2026-01-27T10:11:12Z"

    scores = [
        {**row, "value": 0.0 if row["value"] is not None and i % 3 == 0 else row["value"]}
        for i, row in enumerate(run.scores.to_pylist())
    ]
    return replace(changed(run, edit), scores=scores_table(scores))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    run = runs.whole_run(40)
    return stored(tmp_path / "now", run), stored(tmp_path / "before", last_week(run))


def text_of(path: Path) -> str:
    return " ".join(Elements(path.read_text("utf-8")).text.split())


# ------------------------------------------------------------------------ several runs


def test_changes_of_data_recipes_and_versions_are_named(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "r.html"
    done = CliRunner().invoke(cli, ["report", *map(str, two), "--out", str(out)])
    assert done.exit_code == 0, done.output
    text = text_of(out)
    assert "What changed since before" in text
    assert "adapter.recipe.adapter.lora_r 8 16" in text
    assert "environment.packages.torch 2.12.0 2.13.0" in text
    assert "entities.prompt Find entities: {input} Sentence: {input} Entities:" in text


def test_each_variant_is_held_against_itself_in_the_other_run(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    text = text_of(write_report(two[0], tmp_path / "r.html", others=[two[1]]))
    both, _ = compare.merge([("now", read_run(two[0])), ("before", read_run(two[1]))])
    rows = [
        c
        for v in runs.VARIANTS
        for c in compare.comparisons(both, 0.05, f"now/{v}")
        if c.versus == f"before/{v}"
    ]
    assert len(rows) == 5 * 2 * 2
    for c in rows:
        shown = interval(c.ci_low, c.ci_high, signed=True, limits=(0.0,))
        assert f"{number(c.estimate, signed=True)} {shown}" in text


def test_the_answers_of_the_other_run_stand_beside_and_are_compared_first(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    page = write_report(two[0], tmp_path / "r.html", others=[two[1]]).read_text("utf-8")
    index = blocks(page)["index"]
    assert index["variants"] == [*runs.VARIANTS, *(f"{v} (before)" for v in runs.VARIANTS)]
    assert index["variants"][index["candidate"]] == "hybrid"
    assert index["variants"][index["versus"]] == "hybrid (before)"
    m = index["metrics"].index("exact_match")
    old = {
        (r["sample_id"], r["variant"]): r["value"]
        for r in read_run(two[1]).scores.to_pylist()
        if r["metric"] == "exact_match"
    }
    v = index["variants"].index("rag (before)")
    assert index["scores"][m][v] == [old[i, "rag"] for i in index["ids"]]


def test_samples_that_are_not_the_same_do_not_stand_side_by_side(tmp_path: Path) -> None:
    run = runs.whole_run(12, tasks=("entities",))
    rows = [
        {**r, "input": "another question"} if r["sample_id"] == "entities-00003" else r
        for r in run.outputs.to_pylist()
    ]
    first = stored(tmp_path / "a", run)
    second = stored(tmp_path / "b", replace(run, outputs=outputs_table(rows)))
    out = write_report(first, tmp_path / "r.html", others=[second])
    assert "1 sample of 'b' that this run lacks, or has with another input or target" in text_of(
        out
    )
    found = blocks(out.read_text("utf-8"))
    at = found["index"]["ids"].index("entities-00003")
    v = found["index"]["variants"].index("rag (b)")
    assert found["text-0"][at]["output"][v] is None
    assert found["index"]["scores"][0][v][at] is None


def test_runs_that_cannot_be_compared_say_why_and_still_what_changed(tmp_path: Path) -> None:
    run = runs.whole_run(12)

    def edit(m: dict[str, Any]) -> None:
        m["tasks"]["entities"]["metrics"]["rouge_l"]["version"] = "rouge-score==0.2"

    paths = stored(tmp_path / "a", run), stored(tmp_path / "b", changed(run, edit))
    text = text_of(write_report(paths[0], tmp_path / "r.html", others=[paths[1]]))
    assert "Scores are not compared: task 'entities', metric 'rouge_l'" in text
    assert "entities.metrics.rouge_l.version rouge-score==0.2 rouge-score==0.1.2" in text


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    run = runs.whole_run(9)
    paths = [stored(tmp_path / week / "latest", run) for week in ("monday", "tuesday")]
    text = text_of(write_report(paths[0], tmp_path / "r.html", others=[paths[1]]))
    assert "What changed since tuesday/latest" in text


def test_a_changed_run_beside_is_said(two: tuple[Path, Path], tmp_path: Path) -> None:
    manifest = json.loads((two[1] / "run.json").read_text())
    manifest["files"]["scores.parquet"] = "0" * 64
    (two[1] / "run.json").write_text(json.dumps(manifest))
    text = text_of(write_report(two[0], tmp_path / "r.html", others=[two[1]]))
    assert "scores.parquet of 'before' changed after it was written" in text


def test_nothing_is_written_into_any_of_the_runs(two: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="never changed"):
        write_report(two[0], two[1] / "r.html", others=[two[1]])


def test_changes_name_what_one_side_lacks_once() -> None:
    found = changes({"a": {"x": 1}, "b": {"k": [{"y": 2}]}}, {"b": {"k": [{"y": 3}]}, "c": 4})
    assert [(c.what, c.before, c.now) for c in found] == [
        ("a", "present", "absent"),
        ("b.k[0].y", "2", "3"),
        ("c", "absent", "present"),
    ]


# --------------------------------------------------------------------- too large a run


def test_a_run_too_large_keeps_a_stated_share_and_the_rest_beside_it(tmp_path: Path) -> None:
    run = runs.whole_run(700, tasks=("entities",))
    folder = stored(tmp_path / "run", run)
    budget = 150_000
    out = write_report(folder, tmp_path / "r.html", budget=budget)
    page = out.read_text("utf-8")
    found = blocks(page)
    kept = set(found["index"]["ids"])
    samples = [text for name, text in _raw_blocks(page) if name != "differences"]
    assert sum(map(len, samples)) <= budget
    assert 0 < len(kept) < 700
    stated = " ".join(Elements(page).text.split())
    assert f"{len(kept)} of 700 samples , drawn at random" in stated
    assert "r.samples.parquet" in stated
    rest = pq.read_table(tmp_path / "r.samples.parquet").to_pylist()
    assert {row["sample_id"] for row in rest} == set(run.outputs["sample_id"].to_pylist()) - kept
    values = {
        (r["sample_id"], r["variant"]): r["value"]
        for r in run.scores.to_pylist()
        if r["metric"] == "rouge_l"
    }
    outputs = {(r["sample_id"], r["variant"]): r["output"] for r in run.outputs.to_pylist()}
    assert len(rest) == (700 - len(kept)) * len(runs.VARIANTS)
    for row in rest:
        key = row["sample_id"], row["variant"]
        assert (row["score_rouge_l"], row["output"]) == (values[key], outputs[key])
    write_report(folder, tmp_path / "r.html")
    assert not list(tmp_path.glob("*.parquet"))  # Nothing is left out now.
    # What is counted is counted over all of them, whatever the page holds.
    assert "n = 700" in stated or "700 samples" in stated


def _raw_blocks(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<script type="text/plain" id="block-([\w-]+)">([^<]*)</script>', page)


def test_a_run_that_fits_leaves_nothing_beside(two: tuple[Path, Path], tmp_path: Path) -> None:
    write_report(two[0], tmp_path / "r.html")
    assert not list(tmp_path.glob("*.parquet"))


# --------------------------------------------------------------------------- baselines


def test_every_variant_against_every_other_is_in_the_page(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    page = write_report(two[0], tmp_path / "r.html").read_text("utf-8")
    tables = [t for t in blocks(page)["differences"] if t["rows"]]
    assert len(tables) == 2
    for task, table in zip(("entities", "titles"), tables, strict=True):
        for c in compare.comparisons(read_run(two[0])):
            if c.task != task:
                continue
            v, b = (runs.VARIANTS.index(name) for name in (c.candidate, c.versus))
            row = table["rows"][f"{v} {b} {['exact_match', 'rouge_l'].index(c.metric)}"]
            assert row[0] == number(c.estimate, signed=True)
            low, high, zero = row[5], row[7], row[8]
            assert (row[2] == "better") == (low > zero)
            assert (row[2] == "worse") == (high < zero)


# ------------------------------------------------------------------------------ judges


def test_rationales_go_into_the_samples(tmp_path: Path) -> None:
    run = runs.judged_run(4)
    table = runs.judgments(run)
    folder = write_run(tmp_path / "run", run.manifest, run.outputs, run.scores, judgments=table)
    found = blocks(write_report(folder, tmp_path / "r.html").read_text("utf-8"))
    index = found["index"]
    for row in table.to_pylist():
        at = index["ids"].index(row["sample_id"])
        v = index["variants"].index(row["variant"])
        judged = found["detail-0"][at]["judged"]
        said = (row["value"], row["verdict"], row["rationale"] or row["raw"], row["reason"])
        assert [v, "judge_tone", "small", 0, "forward", *said] in judged
    untouched = index["ids"].index("titles-00000")
    assert "judged" not in found["detail-0"][untouched]


def test_judgments_that_are_none_are_refused(tmp_path: Path) -> None:
    run = runs.judged_run(2)
    table = runs.judgments(run)
    folder = write_run(tmp_path / "run", run.manifest, run.outputs, run.scores, judgments=table)
    (folder / "judgments.parquet").write_bytes(b"not parquet")
    with pytest.raises(RunError, match=r"judgments\.parquet"):
        write_report(folder, tmp_path / "r.html")
