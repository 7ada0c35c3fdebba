"""``harness import``: every wrong row is refused with its file and line, and nothing is written."""

from __future__ import annotations

import json

import pytest

from harness.errors import DataError, RunError
from harness.store.import_run import import_scores
from harness.store.runs import read_run

GOOD = {"sample_id": "1", "variant": "a", "scores": {"m": 1}}


def lines(*rows) -> bytes:
    return b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows)


def imported(tmp_path, *rows, name="run", **options):
    source = tmp_path / f"{name}.jsonl"
    source.write_bytes(lines(*rows))
    return import_scores(source, tmp_path / name, **options)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b'{"sample_id": "2", "variant": "\xff", "scores": {}}\n', "not UTF-8"),
        (b'{"sample_id": "2",\n', "not JSON"),
        (b"[1]\n", "a row is a JSON object, got a list"),
        (b"[" * 100_000 + b"\n", "recursion"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": NaN}}\n', "NaN is no JSON number"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": -Infinity}}\n', "-Infinity is no"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": 1e999}}\n', "too large"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": 1, "m": 0}}\n', "'m' stands twice"),
        (
            b'{"sample_id": "2", "variant": "a", "scores": {"m": 1}, "input": "\\ud800"}\n',
            "surrogate",
        ),
        ({**GOOD, "sample_id": 2}, "'sample_id' must be a string, got the number 2"),
        ({**GOOD, "sample_id": ""}, "'sample_id' is empty"),
        ({"variant": "a", "scores": {}}, "'sample_id' is missing"),
        ({"sample_id": "2", "variant": "a"}, "'scores' is missing"),
        (
            {**GOOD, "sample_id": "2", "scores": {"m": "1"}},
            "the score 'm' must be a number or null",
        ),
        ({**GOOD, "sample_id": "2", "scores": {"m": True}}, "got true or false"),
        ({**GOOD, "sample_id": "2", "scores": {"m": 10**400}}, "too large"),
        ({**GOOD, "sample_id": "2", "scores": [1]}, "'scores' must be an object"),
        ({**GOOD, "sample_id": "2", "metadata": "x"}, "'metadata' must be an object"),
        ({**GOOD, "sample_id": "2", "latency_s": -1}, "must not be negative"),
        ({**GOOD, "sample_id": "2", "clusters": "x"}, "Did you mean 'cluster'"),
        ({**GOOD, "sample_id": "2", "latency": 1}, "Did you mean 'latency_s'"),
        ({**GOOD, "sample_id": "2", "variant": "best"}, "rules use it"),
        ({**GOOD, "sample_id": "2", "scores": {"m": "inf"}}, "must be a number or null"),
        (
            b'{"sample_id": "2", "variant": "a", "scores": {}, "latency_s": 1e999}\n',
            "'latency_s' is too large",
        ),
        (GOOD, "stands in line 1 already"),
        ({**GOOD, "scores": {"m": 0}}, "stands in line 1 already"),
        ({**GOOD, "scores": {"n": 0}}, "stands in line 1 already"),
        ({**GOOD, "task": "default"}, "stands in line 1 already"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, row, message):
    with pytest.raises(DataError, match=message) as caught:
        imported(tmp_path, GOOD, b"\n", row)
    assert f"{tmp_path / 'run.jsonl'}, line 3: " in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_sample_comes_from_one_cluster(tmp_path):
    with pytest.raises(DataError, match="in cluster 'y' here and in cluster 'x' before"):
        imported(tmp_path, {**GOOD, "cluster": "x"}, {**GOOD, "variant": "b", "cluster": "y"})


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no rows"):
        imported(tmp_path, b"\n")
    with pytest.raises(DataError, match="no row has a score"):
        imported(tmp_path, {**GOOD, "scores": {}})


def test_a_run_without_a_value_supports_no_verdict(tmp_path, harness_cli):
    rows = [
        {"sample_id": str(i), "variant": v, "scores": {"m": None}} for i in range(40) for v in "ab"
    ]
    folder, _ = imported(tmp_path, *rows)
    rules = tmp_path / "rules.toml"
    rules.write_text(
        'candidate = "a"\n[[rule]]\nmetric = "m"\nrole = "non_inferior"\nversus = "b"\nmargin = 0.1'
    )
    result = harness_cli("gate", folder, "--rules", rules)
    assert result.returncode == 4, result.stdout + result.stderr
    assert "unscored" in result.stdout


def test_unlike_unknown_keys_are_a_warning(tmp_path):
    folder, warnings = imported(tmp_path, b"\xef\xbb\xbf", {**GOOD, "chars": 3})
    assert warnings == [f"{tmp_path / 'run.jsonl'}: the unknown key 'chars' was ignored in 1 rows."]
    assert read_run(folder).manifest["warnings"] == warnings


def test_ranges_are_read_off_the_values(tmp_path):
    rows = [
        {**GOOD, "scores": {"bit": 0, "share": 0.5, "grade": 1, "none": None}},
        {**GOOD, "task": "u", "scores": {"bit": 1, "share": 1, "grade": 5}},
    ]
    tasks = read_run(imported(tmp_path, *rows)[0]).manifest["tasks"]
    found = {m: (i["low"], i["high"], i["binary"]) for m, i in tasks["default"]["metrics"].items()}
    assert found == {
        "bit": (0.0, 1.0, True),
        "share": (0.0, 1.0, False),
        "grade": (None, None, False),
        "none": (None, None, False),
    }
    assert "none" not in tasks["u"]["metrics"]


def test_append_adds_rows_and_keeps_the_checks(tmp_path):
    imported(tmp_path, {**GOOD, "cluster": "x"})
    source = tmp_path / "more.jsonl"
    source.write_bytes(lines({**GOOD, "variant": "b", "scores": {"m": 3}}))
    folder, _ = import_scores(source, tmp_path / "run", append=True)
    run = read_run(folder)
    assert (run.outputs.num_rows, list(run.manifest["variants"])) == (2, ["a", "b"])
    assert run.manifest["tasks"]["default"]["metrics"]["m"]["high"] is None
    with pytest.raises(DataError, match="stands in the run that is appended to already"):
        import_scores(source, tmp_path / "run", append=True)
    source.write_bytes(lines({**GOOD, "variant": "c", "cluster": "y"}))
    with pytest.raises(DataError, match="in cluster 'x' before"):
        import_scores(source, tmp_path / "run", append=True)
    assert read_run(folder).outputs.num_rows == 2
    with pytest.raises(RunError, match="--append"):
        import_scores(source, tmp_path / "run")


def test_a_run_that_was_changed_is_not_appended_to(tmp_path):
    folder, _ = imported(tmp_path, GOOD)
    manifest = json.loads((folder / "run.json").read_text())
    manifest["files"]["scores.parquet"] = "0"
    (folder / "run.json").write_text(json.dumps(manifest))
    source = tmp_path / "more.jsonl"
    source.write_bytes(lines({**GOOD, "variant": "b"}))
    with pytest.raises(RunError, match=r"scores\.parquet, run\.json changed"):
        import_scores(source, folder, append=True)


def test_the_command(tmp_path, harness_cli):
    source = tmp_path / "s.jsonl"
    source.write_bytes(lines(GOOD, {**GOOD, "sampel_id": "x"}))
    result = harness_cli("import", source, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert f"{source}, line 2: unknown key 'sampel_id'. Did you mean 'sample_id'" in result.stderr
    source.write_bytes(lines({**GOOD, "chars": 1}))
    result = harness_cli("import", source, "--out", tmp_path / "run")
    assert result.returncode == 0
    assert "Warning: " in result.stderr
    assert str(tmp_path / "run") in result.stdout
    assert harness_cli("import", tmp_path / "none", "--out", tmp_path / "r").returncode == 2
