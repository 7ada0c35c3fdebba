from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data import documents_from_jsonl, read_jsonl, samples_from_jsonl
from harness.errors import DataError
from harness.types import Document, Sample

ROW = {"id": "a", "input": "2+2?", "target": "4"}


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_become_samples(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    file = write(
        tmp_path / "f.jsonl",
        ROW,
        "",
        {"id": 7, "input": "x\u2028y", "targets": ["1", "2"], "cluster": 0, "metadata": {"k": 1}},
        {"id": "c", "input": chat, "target": ""},
    )
    assert samples_from_jsonl(file) == (
        Sample("a", "2+2?", ("4",)),
        Sample("7", "x\u2028y", ("1", "2"), cluster="0", metadata={"k": 1}),
        Sample("c", tuple(chat), ("",)),  # type: ignore[arg-type]
    )


def test_openai_rows_are_named_by_their_line(tmp_path: Path) -> None:
    turn = [{"role": "user", "content": "q"}]
    file = write(
        tmp_path / "f.jsonl",
        {"input": turn, "ideal": "one"},
        {"input": turn, "ideal": ["one", "two"]},
        {"id": "own", "input": turn, "ideal": "one"},
    )
    found = samples_from_jsonl(file)
    assert [s.id for s in found] == ["1", "2", "own"]
    assert [s.targets for s in found] == [("one",), ("one", "two"), ("one",)]


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": "\xc5\x81"}\r\n')
    assert list(read_jsonl(tmp_path / "f.jsonl")) == [(1, {"a": 1}), (3, {"a": "Ł"})]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"a": 1', "not JSON"),
        (b"[1, 2]", "must be an object"),
        (b'"text"', "must be an object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": "K\xf6ln"}', "not UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": ' + b"[" * 100_000 + b"}", "recursion"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    (tmp_path / "f.jsonl").write_bytes(b'{"a": 0}\n\n' + line + b"\n")
    with pytest.raises(DataError) as error:
        list(read_jsonl(tmp_path / "f.jsonl"))
    assert str(error.value).startswith(f"{tmp_path / 'f.jsonl'}:3: ")
    assert says in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        list(read_jsonl(tmp_path / "absent"))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(tmp_path))
    for read in (samples_from_jsonl, documents_from_jsonl):
        with pytest.raises(DataError, match="holds no"):
            read(write(tmp_path / "empty.jsonl", ""))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": None}, "'id' is missing"),
        ({"id": ""}, "'id' must be a text"),
        ({"id": True}, "'id' must be a text"),
        ({"id": "first"}, "the id 'first' is that of line 1 too"),
        ({"target": None}, "'target' is missing"),
        ({"target": None, "targets": []}, "'target' is missing"),
        ({"target": ["4"]}, "go into 'targets'"),
        ({"target": 4}, "'target' must be a text"),
        ({"target": None, "targets": "4"}, "'targets' must be a list"),
        ({"targets": ["4"]}, "both given"),
        ({"input": None}, "'input' must be"),
        ({"input": []}, "'input' must be"),
        ({"input": ["q"]}, "'role' and 'content'"),
        ({"input": [{"role": "user", "content": "q", "name": "x"}]}, "'role' and 'content'"),
        ({"input": [{"role": "human", "content": "q"}]}, "unknown role"),
        ({"input": [{"role": "user", "content": [1]}]}, "'content' must be a text"),
        ({"input": [{"role": "assistant", "content": "q"}]}, "must be the user's"),
        ({"cluster": ["x"]}, "'cluster' must be a text"),
        ({"metadata": [1]}, "'metadata' must be an object"),
        ({"traget": "4"}, "unknown key 'traget'. Did you mean 'target'?"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, object], says: str) -> None:
    file = write(tmp_path / "f.jsonl", {**ROW, "id": "first"}, {**ROW, **change})
    with pytest.raises(DataError) as error:
        samples_from_jsonl(file)
    assert str(error.value).startswith(f"{file}:2: ")
    assert says in str(error.value)


def test_targets_may_be_missing_where_that_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": "a", "input": "q"})
    assert samples_from_jsonl(file, require_targets=False) == (Sample("a", "q"),)


def test_documents(tmp_path: Path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": 1, "text": "one"}, {"id": "b", "text": ""})
    assert documents_from_jsonl(file) == (Document("1", "one"), Document("b", ""))
    for row, says in (
        ({"id": "b"}, "'text' must be"),
        ({"text": "x"}, "'id' is missing"),
        ({"id": "a", "txt": "x"}, "Did you mean 'text'"),
    ):
        with pytest.raises(DataError, match=says):
            documents_from_jsonl(write(tmp_path / "g.jsonl", row))
