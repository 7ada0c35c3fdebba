"""The ledger of what a suite has cost: appended to, summed, and never silently damaged."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import DataError, UsageError
from harness.store import ledger


def test_every_try_counts_whether_it_came_to_something_or_not(tmp_path: Path) -> None:
    path = tmp_path / "spent" / "mine.jsonl"
    assert ledger.total(path) == {"training_s": 0.0, "evaluation_s": 0.0, "tries": 0}
    ledger.append(path, "training", 10.5, variant="a", adapter="f00", finished=False)
    ledger.append(path, "training", 20.0, variant="a", adapter="f00", finished=True)
    ledger.append(path, "evaluation", 3.25)
    assert ledger.total(path) == {"training_s": 30.5, "evaluation_s": 3.25, "tries": 2}
    first = json.loads(path.read_text("utf-8").splitlines()[0])
    assert {k: first[k] for k in ("kind", "variant", "adapter", "finished")} == {
        "kind": "training",
        "variant": "a",
        "adapter": "f00",
        "finished": False,
    }


def test_lines_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: ledger.append(path, "training", 1, variant="v" * i), range(200)))
    assert ledger.total(path) == {"training_s": 200.0, "evaluation_s": 0.0, "tries": 200}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "",
        "[1]",
        '{"kind": "lunch", "seconds": 1}',
        '{"kind": "training"}',
        '{"kind": "training", "seconds": -1}',
        '{"kind": "training", "seconds": NaN}',
        '{"kind": "training", "seconds": true}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mine.jsonl"
    ledger.append(path, "evaluation", 1)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    ledger.append(path, "evaluation", 1)
    with pytest.raises(DataError, match=r"mine\.jsonl, line 2: .*delete it"):
        ledger.total(path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write"):
        ledger.append(tmp_path / "file" / "mine.jsonl", "evaluation", 1)
