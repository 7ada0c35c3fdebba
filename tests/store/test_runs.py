"""Run folders: what is written is read back, and nothing half-written or foreign is read."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from harness.errors import RunError
from harness.store.runs import (
    check_place,
    latest,
    outputs_table,
    point_latest,
    read_run,
    scores_table,
    write_run,
)

MANIFEST = {"kind": "import", "tasks": {"t": {}}, "variants": {"v": {}}}


def tables(value: float | None = 1.0):
    key = {"task": "t", "sample_id": "a", "variant": "v"}
    outputs = outputs_table([{**key, "input": "line\u2028break", "tokens_in": 3}])
    return outputs, scores_table([{**key, "metric": "m", "value": value}])


def write(folder: Path, **options):
    return write_run(folder, MANIFEST, *tables(), **options)


def test_what_is_written_is_read_back(tmp_path):
    run = read_run(write(tmp_path / "deep" / "run"))
    outputs, scores = tables()
    assert run.outputs.equals(outputs)
    assert run.scores.equals(scores)
    assert run.manifest["tasks"] == {"t": {}}
    assert run.tampered == ()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["run"]


def test_columns_can_be_chosen(tmp_path):
    run = read_run(write(tmp_path / "run"), columns=["variant", "task"])
    assert run.outputs.column_names == ["task", "variant"]


def test_an_occupied_folder_is_kept_unless_replace_is_said(tmp_path):
    folder = write(tmp_path / "run")
    before = (folder / "run.json").read_bytes()
    with pytest.raises(RunError, match="exists already"):
        write_run(folder, {**MANIFEST, "tasks": {}}, *tables())
    assert (folder / "run.json").read_bytes() == before
    write_run(folder, {**MANIFEST, "tasks": {}}, *tables(), replace=True)
    assert read_run(folder).manifest["tasks"] == {}
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "run").mkdir()
    assert read_run(write(tmp_path / "run")).manifest["kind"] == "import"


def test_nothing_is_left_where_the_write_fails(tmp_path):
    with pytest.raises(TypeError):
        write_run(tmp_path / "run", {**MANIFEST, "bad": object()}, *tables())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(tmp_path, value):
    with pytest.raises(RunError, match="Make it null"):
        write_run(tmp_path / "run", MANIFEST, *tables(value))


def test_wrong_columns_are_refused(tmp_path):
    outputs, scores = tables()
    with pytest.raises(RunError, match=r"missing \['reason'\]"):
        write_run(tmp_path / "run", MANIFEST, outputs, scores.drop_columns(["reason"]))
    with pytest.raises(KeyError, match="vaule"):
        scores_table([{"task": "t", "vaule": 1.0}])


def test_a_lone_surrogate_in_the_manifest_survives(tmp_path):
    folder = write_run(tmp_path / "run", {**MANIFEST, "suite": "a\ud800é"}, *tables())
    assert json.loads((folder / "run.json").read_text("utf-8"))["suite"] == "a\ud800é"


def test_a_changed_file_is_named(tmp_path):
    import pyarrow.parquet as pq

    folder = write(tmp_path / "run")
    pq.write_table(tables(0.5)[1], folder / "scores.parquet")
    assert read_run(folder).tampered == ("scores.parquet",)


def test_a_manifest_without_hashes_vouches_for_nothing(tmp_path):
    folder = write(tmp_path / "run")
    manifest = json.loads((folder / "run.json").read_text())
    del manifest["files"]
    (folder / "run.json").write_text(json.dumps(manifest))
    assert read_run(folder).tampered == ("outputs.parquet", "scores.parquet", "run.json")


def test_a_manifest_that_was_edited_is_named(tmp_path):
    folder = write(tmp_path / "run")
    manifest = json.loads((folder / "run.json").read_text())
    manifest["rules"] = None
    manifest["seed"] = 12345
    (folder / "run.json").write_text(json.dumps(manifest))
    assert read_run(folder).tampered == ("run.json",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 0}, "Measure again"),
        ({"schema_version": 2}, "Upgrade"),
        ({"schema_version": None}, "no schema_version"),
        ({"schema_version": True}, "no schema_version"),
        ({"tasks": []}, "no object 'tasks'"),
    ],
)
def test_another_schema_is_refused_with_the_remedy(tmp_path, change, message):
    folder = write(tmp_path / "run")
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(RunError, match=message):
        read_run(folder)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"no run\.json"):
        read_run(tmp_path)
    folder = write(tmp_path / "run")
    (folder / "scores.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(RunError, match="damaged"):
        read_run(folder)
    (folder / "scores.parquet").unlink()
    with pytest.raises(RunError, match="incomplete"):
        read_run(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="not JSON"):
        read_run(folder)


def test_latest_follows_the_pointer(tmp_path):
    first, second = write(tmp_path / "one"), write(tmp_path / "two")
    point_latest(first)
    point_latest(second)
    assert latest(tmp_path) == latest(tmp_path / "latest") == second
    assert latest(first) == first
    assert read_run(tmp_path).path == second


def test_latest_reads_a_text_pointer(tmp_path):
    folder = write(tmp_path / "one")
    (tmp_path / "latest").write_text("one\n")
    assert latest(tmp_path) == latest(tmp_path / "latest") == folder


def test_the_module_starts_without_arrow():
    import subprocess
    import sys

    code = "import sys, harness.store.runs; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="needs file size limits")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    import subprocess
    import sys

    code = f"""
import random, resource
from pathlib import Path
from harness.errors import RunError
from harness.store.runs import outputs_table, scores_table, write_run
text = random.Random(0).randbytes(200_000).hex()
outputs = outputs_table([{{"task": "t", "sample_id": "a", "variant": "v", "output": text}}])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_run(Path({str(tmp_path / "run")!r}), {MANIFEST!r}, outputs, scores_table([]))
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Free some space" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_in_time_and_later(tmp_path):
    (tmp_path / "file").touch()
    for try_it in (check_place, write):
        with pytest.raises(RunError, match="name another folder with --out"):
            try_it(tmp_path / "file" / "run")
        with pytest.raises(RunError, match="exists already"):
            try_it(tmp_path / "file")
    check_place(tmp_path / "new" / "deep" / "run")
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file"]


def test_a_pointer_that_cannot_be_moved_is_said(tmp_path):
    """An old pointer would hand the next gate an old run."""
    folder = write(tmp_path / "one")
    (tmp_path / "latest").mkdir()
    with pytest.raises(RunError, match=r"The run is in .*one.*Remove .*latest"):
        point_latest(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "one"]
