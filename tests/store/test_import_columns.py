"""Whole columns are checked as strictly as single rows, and numbers keep their values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.store.import_columns import Columns
from harness.store.import_rows import KEYS, check_row
from harness.store.import_run import import_scores
from harness.store.runs import read_run

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 0.5, -0.5, 2**53 + 1, 2**70, 10**400, float("inf"), -0.0]),
    st.sampled_from(["", "x", "best", "ü"]),
    st.sampled_from([{}, {"m": 1}, {"m": None}, {"": 1}, {"m": True}, {"m": 10**400}, []]),
)
GOOD = st.fixed_dictionaries(
    {"sample_id": st.just("s"), "variant": st.just("v"), "scores": st.just({"m": 0.5})},
    optional={"task": st.just("t"), "metadata": st.just({"k": 1}), "latency_s": st.just(1)},
)
KEY = st.sampled_from([*KEYS, "latency", "sampel_id", "chars"])


@given(rows=st.lists(GOOD, min_size=1, max_size=4), change=st.data())
def test_columns_are_sound_where_every_row_is(rows, change) -> None:
    place = change.draw(st.integers(0, len(rows) - 1))
    row = dict(rows[place])
    if change.draw(st.booleans()):
        row[change.draw(KEY)] = change.draw(ANYTHING)
    else:
        row.pop(change.draw(KEY), None)
    changed = [*rows[:place], row, *rows[place + 1 :]]
    try:
        check_row(row, "here")
        accepted = True
    except DataError:
        accepted = False
    assert Columns.of(changed).are_sound() == accepted


def test_numbers_and_texts_keep_their_values(tmp_path: Path) -> None:
    rows = [
        {
            "sample_id": "1",
            "variant": "a",
            "scores": {"m": 2**53 + 1, "n": None, "o": -0.5},
            "metadata": {"z": 2**70, "a": [1, {"b": None}]},
            "target": 'say "ü"',
            "cost": 3,
        },
        {"sample_id": "2", "variant": "a", "scores": {"o": 1e-300}, "latency_s": 0.25},
        {"sample_id": "3", "variant": "a", "scores": {}},
    ]
    source = tmp_path / "s.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(import_scores(source, tmp_path / "run")[0])
    assert [
        (r["sample_id"], r["metric"], r["value"], r["reason"]) for r in run.scores.to_pylist()
    ] == [
        ("1", "m", float(2**53 + 1), None),
        ("1", "n", None, "null in the imported file"),
        ("1", "o", -0.5, None),
        ("2", "o", 1e-300, None),
    ]
    assert run.outputs["metadata"].to_pylist() == [
        '{"a": [1, {"b": null}], "z": 1180591620717411303424}',
        None,
        None,
    ]
    assert run.outputs["target"].to_pylist() == ['["say \\"ü\\""]', None, None]
    assert run.outputs["cost"].to_pylist() == [3.0, None, None]
    assert run.outputs["latency_s"].to_pylist() == [None, 0.25, None]
    assert run.outputs["task"].to_pylist() == ["default"] * 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"sample_id": "2", "variant": "\xed\xa0\x80", "scores": {}}', "not UTF-8"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": 1}} {}', "Extra data"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": 1}}\xc2\xa0', "Extra data"),
        (b'{"sample_id": "2", "variant": "a", "scores": {"m": 1e999}}', "too large"),
        (b'{"sample_id": "2", "variant": "a", "metadata": {"k": 1, "k": 1}}', "'k' stands twice"),
        (b'"sample_id"', "a row is a JSON object, got a string"),
    ],
)
def test_a_line_that_is_nearly_right_is_refused(tmp_path: Path, line: bytes, message: str) -> None:
    source = tmp_path / "s.jsonl"
    source.write_bytes(b'  {"sample_id": "1", "variant": "a", "scores": {"m": 1}}\t\r\n' + line)
    with pytest.raises(DataError, match=f"line 2: .*{message}"):
        import_scores(source, tmp_path / "run")
    source.write_bytes(source.read_bytes().splitlines(keepends=True)[0])
    assert read_run(import_scores(source, tmp_path / "run")[0]).outputs.num_rows == 1
