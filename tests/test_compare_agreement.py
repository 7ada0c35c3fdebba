"""A variant on a server beside its twin in process."""

from __future__ import annotations

import json

import pytest
from made_runs import made_run

from harness.compare import agreements
from harness.store.runs import Run, write_run

LOCAL = {"name": "here", "model": "./base", "precision": "bf16", "generation": {"temperature": 0.0}}
SERVED = {
    **LOCAL,
    "name": "there",
    "model": "base",
    "precision": "served",
    "server": {"base_url": "http://localhost:1/v1"},
}
TEXTS = {"here": ["same", "abcdefgh", "", "only here"], "there": ["same", "abcdXY", "", None]}


def run(**recipes: dict) -> Run:
    made = made_run(
        {"here": [1.0, 0.5, 0.0, 1.0], "there": [1.0, 0.0, 0.0, None]},
        output=TEXTS,
        latency_s=[0.1] * 4,
    )
    for name, recipe in {"here": LOCAL, "there": SERVED, **recipes}.items():
        made.manifest["variants"][name]["recipe"] = recipe
    return made


def test_texts_and_scores_are_compared_where_both_are_known() -> None:
    (found,) = agreements(run())
    assert (found.task, found.served, found.local) == ("t", "there", "here")
    assert (found.n, found.identical) == (3, 2)
    # "abcdefgh" and "abcdXY" share 4 of 8; two empty answers are the same.
    assert found.shared == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.differences == {"m": pytest.approx(-0.5 / 3)}


@pytest.mark.parametrize(
    "other",
    [
        {**SERVED, "system": "Another."},
        {**SERVED, "adapter": {"served": "tuned"}},
        {**SERVED, "generation": {"temperature": 0.7}},
        {k: v for k, v in SERVED.items() if k != "server"},
        {},
    ],
    ids=["prompt", "adapter", "sampled", "local", "imported"],
)
def test_variants_that_differ_in_more_than_the_place_are_no_twins(other: dict) -> None:
    assert agreements(run(there=other)) == []


def test_an_adapter_has_its_twin() -> None:
    local = {**LOCAL, "adapter": {"path": "/adapter"}}
    served = {**SERVED, "adapter": {"served": "tuned"}}
    assert len(agreements(run(here=local, there=served))) == 1


def test_compare_prints_it_and_writes_it(harness_cli, tmp_path) -> None:
    made = run()
    folder = write_run(tmp_path / "run", made.manifest, made.outputs, made.scores)
    shown = harness_cli("compare", folder)
    assert shown.returncode == 0, shown.stderr
    (line,) = (x for x in shown.stdout.splitlines() if "2 (66.7%)" in x)
    assert "m -0.1667" in line
    found = json.loads(harness_cli("compare", folder, "--json").stdout)["agreement"]
    assert found[0]["identical"] == 2
