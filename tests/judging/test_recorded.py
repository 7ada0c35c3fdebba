"""``harness judge calibrate --judgments``: recorded verdicts, by hand and from public data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Run = Callable[..., CompletedProcess[str]]
ORACLES = Path(__file__).parents[3] / "shared" / "oracles"
needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason="the public answers are not beside this checkout"
)


def figures(cli: Run, file: Path) -> dict[str, Any]:
    done = cli("judge", "calibrate", "--judgments", file, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(folder: Path, rows: list[Mapping[str, Any]]) -> Path:
    file = folder / "judgments.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def row(i: int, human: str, forward: Any, swapped: Any, judge: str = "j") -> dict[str, Any]:
    names = {"sample_id": f"s{i}", "judge": judge, "human": human}
    return {**names, "forward": forward, "swapped": swapped}


def test_figures_that_can_be_counted_by_hand(tmp_path: Path, harness_cli: Run) -> None:
    rows = [
        row(0, "1", "1", "1"),
        row(1, "1", "1", "2"),
        row(2, "2", "2", "2"),
        row(3, "2", "1", "2"),
        row(4, "tie", "tie", "tie"),
        row(5, "1", "A", "1"),
        row(6, "1", None, None),
        row(7, "2", 2, "2"),
    ]
    found = figures(harness_cli, write(tmp_path, rows))["j"]
    assert (found["n"], found["unparseable"]) == (8, 3)
    assert found["accuracy_forward"] == 4 / 8
    assert found["accuracy_swapped"] == 6 / 8
    assert found["accuracy_both"] == 3 / 8
    assert found["order_agreement"] == 4 / 8
    assert found["order_flip_rate"] == 4 / 8
    assert found["constant_accuracy"] == 4 / 8
    # Five rows have a forward verdict: four agree; by chance (2*3 + 2*1 + 1*1) / 25 do.
    assert found["kappa"] == pytest.approx((4 / 5 - 9 / 25) / (1 - 9 / 25))
    low, high = found["kappa_ci"]
    assert low < found["kappa"] < high


def test_a_judge_that_says_one_thing_is_no_better_than_that(
    tmp_path: Path, harness_cli: Run
) -> None:
    rows = [row(i, "1" if i % 3 else "2", "1", "1") for i in range(60)]
    found = figures(harness_cli, write(tmp_path, rows))["j"]
    assert found["accuracy_forward"] == found["constant_accuracy"] == 40 / 60
    assert found["kappa"] == 0.0
    assert found["kappa_ci"][0] <= 0


def test_judges_are_told_apart(tmp_path: Path, harness_cli: Run) -> None:
    rows = [row(0, "1", "1", "1", "a"), row(0, "1", "2", "2", "b")]
    found = figures(harness_cli, write(tmp_path, rows))
    assert (found["a"]["accuracy_both"], found["b"]["accuracy_both"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "has no rows"),
        (['{"sample_id": "a"'], ":1: not JSON"),
        (["[]"], ":1: each line must be an object"),
        ([json.dumps(row(0, "1", "1", "1")), json.dumps(row(1, "3", "1", "1"))], ":2: 'human'"),
        ([json.dumps({**row(0, "1", "1", "1"), "sample_id": 3})], ":1: 'sample_id'"),
        ([json.dumps({"sample_id": "a", "judge": "j", "human": "1"})], "'forward' is missing"),
        ([json.dumps(row(0, "1", "1", "1"))] * 2, ":2: 'j' has judged sample 's0' before"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, harness_cli: Run, lines: list[str], why: str) -> None:
    file = tmp_path / "judgments.jsonl"
    file.write_text("".join(line + "\n" for line in lines), "utf-8")
    done = harness_cli("judge", "calibrate", "--judgments", file, "--json")
    assert done.returncode == 2
    assert why in done.stderr
    assert str(file) in done.stderr


@needs_oracles
def test_llmbar(harness_cli: Run) -> None:
    """Zeng et al. 2024: shares correct in each order, in both, equal, and the orders' kappa."""
    found = figures(harness_cli, ORACLES / "llmbar_judgments.jsonl")
    wanted = json.loads((ORACLES / "llmbar_statistics.json").read_text("utf-8"))
    assert {f"Natural:{judge}" for judge in found} == set(wanted)
    for judge, mine in found.items():
        theirs = wanted[f"Natural:{judge}"]
        for key, name in (
            ("accuracy_forward", "correct_False"),
            ("accuracy_swapped", "correct_True"),
            ("accuracy_both", "correct_both"),
            ("order_agreement", "equal"),
        ):
            hits, n = theirs[name].split(" = ")[0].split(" / ")
            assert mine[key] == int(hits) / int(n), (judge, key)
        assert mine["order_kappa"] == pytest.approx(theirs["kappa_agreement"], abs=1e-12)


@needs_oracles
def test_pandalm(tmp_path: Path, harness_cli: Run) -> None:
    """Wang et al. 2024: kappas of the three humans 0.85, 0.88, 0.86; 25 verdicts unparseable."""
    lines = (ORACLES / "pandalm_labels.jsonl").read_text("utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    names = {0: "tie", 1: "1", 2: "2"}
    rows = [
        row(i, names[item["humans"][a]], verdict, verdict, f"{a}{b}")
        for i, item in enumerate(items)
        for a, b in ((0, 1), (0, 2), (1, 2))
        for verdict in [names[item["humans"][b]]]
    ]
    rows += [
        row(i, names[item["humans"][0]], said, said, "raw")
        for i, item in enumerate(items)
        for said in [{"Tie": "tie"}.get(item["judge"], item["judge"])]
    ]
    found = figures(harness_cli, write(tmp_path, rows))
    assert {name: round(found[name]["kappa"], 2) for name in ("01", "02", "12")} == {
        "01": 0.85,
        "02": 0.88,
        "12": 0.86,
    }
    assert (found["raw"]["n"], found["raw"]["unparseable"]) == (999, 25)
