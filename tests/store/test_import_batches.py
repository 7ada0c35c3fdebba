"""Rows imported in many batches are the rows imported at once, and none is ever lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.store.import_run import import_scores
from harness.store.runs import point_latest, read_run, write_run


def rows(start: int, stop: int) -> list[dict[str, Any]]:
    return [
        {
            "sample_id": f"s{i}",
            "variant": variant,
            "task": "t" if i % 3 else "u",
            "cluster": f"c{i // 2}",
            "scores": {"m": i / 100, "bit": i % 2} if i % 7 else {"m": None},
            "metadata": {"day": i % 5},
            "latency_s": 0.5,
        }
        for i in range(start, stop)
        for variant in ("a", "b")
    ]


def save(path: Path, *some: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for part in some for row in part), "utf-8")
    return path


def test_three_appends_are_one_import(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    # Uneven parts, the second longer than what is read at once.
    parts = [rows(0, 11), rows(11, 700), rows(700, 703)]
    for i, part in enumerate(parts):
        save(tmp_path / f"day{i}.jsonl", part)
        import_scores(tmp_path / f"day{i}.jsonl", tmp_path / "run", append=True)
    once = read_run(import_scores(save(tmp_path / "all.jsonl", *parts), tmp_path / "once")[0])
    grown = read_run(tmp_path / "run")
    assert grown.outputs.equals(once.outputs)
    assert grown.scores.equals(once.scores)
    differ = {key for key in once.manifest if once.manifest[key] != grown.manifest[key]}
    assert differ <= {"batches", "fingerprint", "manifest_sha256", "files", "created"}
    batches = grown.manifest["batches"]
    assert [(b["source"], b["rows"]) for b in batches] == [
        ("day0.jsonl", 22),
        ("day1.jsonl", 1378),
        ("day2.jsonl", 6),
    ]
    assert [b["rows"] for b in once.manifest["batches"]] == [1406]
    assert batches[-1]["created"] == grown.manifest["created"]


def test_a_row_that_an_earlier_batch_has_is_refused(tmp_path: Path, harness_cli) -> None:
    first = save(tmp_path / "first.jsonl", rows(0, 5))
    harness_cli("import", first, "--out", "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    again = save(tmp_path / "again.jsonl", rows(5, 7), rows(2, 3))
    result = harness_cli("import", again, "--out", "run", "--append")
    assert result.returncode == 2
    assert "again.jsonl, line 5: task 't', sample 's2', variant 'a' stands in" in result.stderr
    assert "the run that is appended to" in result.stderr
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert read_run(tmp_path / "run").tampered == ()


def test_appending_to_a_pointer_appends_to_what_it_points_at(tmp_path: Path) -> None:
    folder, _ = import_scores(save(tmp_path / "1.jsonl", rows(0, 2)), tmp_path / "one")
    point_latest(folder)
    import_scores(save(tmp_path / "2.jsonl", rows(2, 4)), tmp_path / "latest", append=True)
    assert read_run(tmp_path / "one").outputs.num_rows == 8
    assert read_run(tmp_path / "latest").path == folder


def test_a_run_from_before_batches_is_one_batch(tmp_path: Path) -> None:
    run = read_run(import_scores(save(tmp_path / "1.jsonl", rows(0, 2)), tmp_path / "run")[0])
    manifest = {k: v for k, v in run.manifest.items() if k != "batches"}
    write_run(tmp_path / "run", manifest, run.outputs, run.scores, replace=True)
    import_scores(save(tmp_path / "2.jsonl", rows(2, 5)), tmp_path / "run", append=True)
    batches = read_run(tmp_path / "run").manifest["batches"]
    assert [(b["source"], b["rows"]) for b in batches] == [(None, 4), ("2.jsonl", 6)]


def test_two_appends_at_once_both_stay(tmp_path: Path) -> None:
    import subprocess
    import sys

    import_scores(save(tmp_path / "0.jsonl", rows(0, 2)), tmp_path / "run")
    jobs = []
    for i in (1, 2, 3):
        source = save(tmp_path / f"{i}.jsonl", rows(10 * i, 10 * i + 3))
        command = [sys.executable, "-m", "harness", "import", source, "--append"]
        jobs.append(subprocess.Popen([*command, "--out", tmp_path / "run"]))
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert read_run(tmp_path / "run").outputs.num_rows == 4 + 18


def test_a_wrong_row_far_down_is_named_by_its_own_line(tmp_path: Path) -> None:
    good = "".join(json.dumps(row) + "\n\n" for row in rows(0, 1300))
    source = tmp_path / "s.jsonl"
    source.write_text(good + '{"sample_id": "x", "variant": "a", "scores": {"m": "1"}}\n')
    with pytest.raises(DataError, match="line 5201: the score 'm' must be a number"):
        import_scores(source, tmp_path / "run")
    source.write_text(good + json.dumps({**rows(3, 4)[0], "cluster": "c1"}) + "\n")
    with pytest.raises(DataError, match=r"line 5201: .* stands in line 13 already"):
        import_scores(source, tmp_path / "run")
    source.write_text(good + json.dumps({**rows(5, 6)[0], "variant": "c", "cluster": "z"}) + "\n")
    with pytest.raises(DataError, match=r"line 5201: .* cluster 'z' here and in cluster 'c2'"):
        import_scores(source, tmp_path / "run")
