"""``harness compare``: margins, attribution and break-even."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from harness.store.runs import outputs_table, scores_table, write_run

RETRIEVER, ADAPTER = {"retriever": {"kind": "bm25", "k": 3}}, {"adapter": {"lora_r": 16}}
PARTS = {"base": {}, "rag": RETRIEVER, "tuned": ADAPTER, "[hybrid]": {**RETRIEVER, **ADAPTER}}
MEANS = {"base": 0.4, "rag": 0.4, "tuned": 0.5, "[hybrid]": 0.8}
METRIC = {"definition": "d", "higher_is_better": True, "low": 0.0, "high": 1.0, "version": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    draw = random.Random(0)
    outputs, scores = [], []
    for i in range(200):
        noise = draw.uniform(-0.1, 0.1)
        for variant, mean in MEANS.items():
            key = {"task": "t", "sample_id": f"s{i}", "variant": variant}
            seconds = (0.1 if "adapter" in PARTS[variant] else 0.5) + draw.uniform(0, 0.01)
            said = {"input": f"q{i}", "target": '["x"]', "output": f"{variant} {i}"}
            outputs.append({**key, **said, "latency_s": seconds})
            value = mean + noise + draw.uniform(-0.01, 0.01)
            scores.append({**key, "metric": "m", "value": value})
    recipe = {"model": "m", "precision": "bf16", "generation": {"seed": 0}}
    manifest = {
        "kind": "run",
        "tasks": {"t": {"version": "1", "n": 200, "n_corpus": 9, "metrics": {"m": METRIC}}},
        "variants": {
            v: {"has_adapter": "adapter" in p, "recipe": {**recipe, **p}} for v, p in PARTS.items()
        },
        "spent": {"training_s": 300.0, "evaluation_s": 60.0, "tries": 2},
    }
    return write_run(tmp_path / "run", manifest, outputs_table(outputs), scores_table(scores))


def test_both_tables_follow_the_comparisons(run, harness_cli):
    result = harness_cli("compare", run)
    assert result.returncode == 0, result.stderr
    rows, effects = result.stdout.split("What each part adds")
    assert "rag - base" not in rows
    effects, paid = effects.split("When training has paid for itself")
    (interaction,) = (x for x in effects.splitlines() if " interaction " in x)
    assert "[hybrid] - tuned - rag + base" in interaction
    assert "+0.3" in interaction
    assert sum("seconds of compute" in line for line in paid.splitlines()) == 4


def test_the_json_has_both_beside_the_rows(run, harness_cli):
    found = json.loads(harness_cli("compare", run, "--json").stdout)
    keys = ["schema_version", "rows", "attribution", "break_even", "agreement", "warnings"]
    assert list(found) == keys
    assert found["agreement"] == []
    effects = {e["name"]: e for e in found["attribution"]}
    assert effects["interaction"]["estimate"] == pytest.approx(0.3, abs=0.01)
    assert effects["interaction"]["variants"] == ["[hybrid]", "tuned", "rag", "base"]
    (row,) = (b for b in found["break_even"] if (b["candidate"], b["versus"]) == ("tuned", "base"))
    assert (row["fixed"], row["requests"]) == (360.0, pytest.approx(900, rel=0.02))
    assert row["requests_low"] < row["requests"] < row["requests_high"]


def test_money_needs_a_price(run, harness_cli):
    result = harness_cli("compare", run, "--machine-cost-per-hour", "2", "--json")
    money = [b for b in json.loads(result.stdout)["break_even"] if b["currency"] == "money"]
    assert len(money) == 4
    assert all(b["fixed"] == pytest.approx(0.2) and b["requests"] is None for b in money)
    assert harness_cli("compare", run, "--machine-cost-per-hour", "0").returncode == 2


def test_equivalence_within_a_margin(run, harness_cli):
    result = harness_cli("compare", run, "--margin", "0.05")
    lines = [x for x in result.stdout.splitlines() if x.startswith("t ")]
    by_pair = {tuple(x.split()[2:4]): x for x in lines}
    assert " not proved " not in by_pair["rag", "base"]
    assert " proved " in by_pair["rag", "base"]
    assert " not proved " in by_pair["tuned", "base"]
    plain, with_margin = (
        json.loads(harness_cli("compare", run, *extra, "--json").stdout)
        for extra in ((), ("--margin", "0.05"))
    )
    assert plain == with_margin


@pytest.mark.parametrize(("margin", "said"), [("-0.1", "above 0"), ("2", "write 0.02")])
def test_a_margin_that_means_nothing_is_refused(run, harness_cli, margin, said):
    result = harness_cli("compare", run, "--margin", margin)
    assert result.returncode == 2
    assert said in result.stderr


def test_across_runs_nothing_is_laid_to_a_part(run, harness_cli, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    result = harness_cli("compare", run, other, "--json")
    found = json.loads(result.stdout)
    assert (found["attribution"], found["break_even"]) == ([], [])


def test_a_run_beside_itself_is_refused(run, harness_cli, tmp_path):
    other = tmp_path / "latest"
    other.symlink_to(run, target_is_directory=True)
    result = harness_cli("compare", run, other)
    assert result.returncode == 2
    assert "named twice" in result.stderr
