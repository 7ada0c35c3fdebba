"""``harness import`` of files that other tools really wrote (tests/data/foreign/README.md)."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.store.runs import read_run

FILES = Path(__file__).parent.parent / "data" / "foreign"
INSPECT = FILES / "inspect"


def rules(folder: Path, metric: str, candidate: str, versus: str) -> Path:
    file = folder / "rules.toml"
    file.write_text(
        f'candidate = "{candidate}"\n[[rule]]\nmetric = "{metric}"\nrole = "superior"\n'
        f'versus = "{versus}"\nmargin = 0.0\nmin_samples = 5\n',
        "utf-8",
    )
    return file


def imported(folder: Path, harness_cli: Any, *args: Any) -> Any:
    done = harness_cli("import", *args, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return read_run(folder / "run")


def values(run: Any) -> dict[tuple[str, str], list[float | None]]:
    found: dict[tuple[str, str], list[float | None]] = {}
    for row in run.scores.to_pylist():
        found.setdefault((row["variant"], row["metric"]), []).append(row["value"])
    return found


def test_logs_of_inspect_ai_are_compared_and_gated(tmp_path: Path, harness_cli: Any) -> None:
    logs = (f"plain={INSPECT / 'always_login.eval'}", f"tuned={INSPECT / 'better.eval'}")
    run = imported(tmp_path, harness_cli, *logs)
    # What inspect_ai itself says of them: accuracy 0.5 and 11 of 12.
    assert values(run)["plain", "match"] == [1.0, 0.0] * 6
    assert Counter(values(run)["tuned", "match"]) == {1.0: 11, 0.0: 1}
    row = run.outputs.to_pylist()[1]
    assert (row["sample_id"], row["task"], row["input"]) == (
        "s1",
        "triage",
        "Ticket 1: which queue?",
    )
    assert json.loads(row["target"]) == ["billing"]
    assert json.loads(row["metadata"]) == {"team": "a"}
    assert row["output"] == "login"
    batch = run.manifest["batches"][0]
    assert (batch["tool"], batch["tool_version"]) == ("inspect_ai", "0.3.285")
    assert batch["source"] == "always_login.eval, better.eval"
    gated = harness_cli("gate", "run", "--rules", rules(tmp_path, "match", "tuned", "plain"))
    assert gated.returncode in (0, 3), gated.stderr
    assert "tuned" in harness_cli("compare", "run").stdout


def test_two_logs_of_one_model_must_be_named(tmp_path: Path, harness_cli: Any) -> None:
    done = harness_cli("import", *sorted(INSPECT.glob("*.eval")), "--out", "run")
    assert done.returncode == 2
    assert "both hold variant 'mockllm/model'" in done.stderr
    assert "harness import first=" in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_unknown_version_is_told(tmp_path: Path, harness_cli: Any) -> None:
    log = tmp_path / "log.json"
    about = {"model": "m", "task": "t"}
    log.write_text(json.dumps({"version": 9, "status": "success", "eval": about}), "utf-8")
    done = harness_cli("import", log, "--out", "run")
    assert done.returncode == 2
    assert "version 9 of the inspect_ai format is not known (known: 2)" in done.stderr


def test_a_log_that_was_cut_off_is_told(tmp_path: Path, harness_cli: Any) -> None:
    cut = tmp_path / "cut.eval"
    cut.write_bytes((INSPECT / "better.eval").read_bytes()[:9000])
    done = harness_cli("import", cut, "--out", "run")
    assert done.returncode == 2
    assert "cut.eval" in done.stderr


def test_lost_and_repeated_samples(tmp_path: Path, harness_cli: Any) -> None:
    """A `.json` log: an error is unscored, epochs are answers to one sample."""
    samples = [
        {"id": 1, "epoch": 1, "input": "q", "target": "a", "scores": {"match": {"value": "C"}}},
        {"id": 1, "epoch": 2, "input": "q", "target": "a", "scores": {"match": {"value": "P"}}},
        {"id": 2, "epoch": 1, "input": "q", "target": ["a", "b"], "error": {"message": "lost"}},
    ]
    log = tmp_path / "log.json"
    about = {"model": "m", "task": "t"}
    text = {"version": 2, "status": "error", "eval": about, "samples": samples}
    log.write_text(json.dumps(text), "utf-8")
    done = harness_cli("import", log, "--out", tmp_path / "run")
    assert "ended with status 'error'" in done.stderr
    assert "1 samples ended in an error" in done.stderr
    run = read_run(tmp_path / "run")
    assert values(run)["m", "match"] == [1.0, 0.5, None]
    rows = run.outputs.to_pylist()
    assert [(r["sample_id"], r["cluster"]) for r in rows] == [
        ("1#0", "1"),
        ("1#1", "1"),
        ("2", None),
    ]


# ------------------------------------------------------------------- lm-evaluation-harness


def samples_of(name: str) -> Path:
    (found,) = (FILES / "lm_eval" / name).glob("samples_*.jsonl")
    return found


def test_samples_of_lm_evaluation_harness(tmp_path: Path, harness_cli: Any) -> None:
    run = imported(tmp_path, harness_cli, f"dummy={FILES / 'lm_eval' / 'dummy'}")
    own = [json.loads(line) for line in samples_of("dummy").read_text("utf-8").splitlines()]
    metric = own[0]["metrics"][0]
    assert values(run)["dummy", metric] == [float(line[metric]) for line in own]
    rows = run.outputs.to_pylist()
    assert [r["sample_id"] for r in rows] == [str(line["doc_id"]) for line in own]
    assert rows[0]["input"] == own[0]["arguments"]["gen_args_0"]["arg_0"]
    assert run.manifest["batches"][0]["tool_version"].startswith("0.4.")


def test_another_release_of_lm_eval_is_not_guessed_at(tmp_path: Path, harness_cli: Any) -> None:
    copy = shutil.copytree(FILES / "lm_eval" / "dummy", tmp_path / "copy")
    (results,) = copy.glob("results_*.json")
    results.write_text(json.dumps({"lm_eval_version": "1.0.0"}), "utf-8")
    done = harness_cli("import", copy, "--out", "run")
    assert done.returncode == 2
    assert "version 1.0.0 of the lm-evaluation-harness format is not known" in done.stderr


def test_filters_are_metrics_and_what_is_no_number_is_left_out(
    tmp_path: Path, harness_cli: Any
) -> None:
    base = {"doc_id": 0, "doc": {}, "target": "4", "arguments": [["2+2=", {}]]}
    lines = [
        {
            **base,
            "filtered_resps": ["4"],
            "filter": name,
            "metrics": ["exact_match", "bleu"],
            "exact_match": value,
            "bleu": ["4", "4"],
        }
        for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))
    ]
    log = tmp_path / "samples_gsm8k_2026-01-02T03-04-05.678901.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    done = harness_cli("import", f"m={log}", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "'bleu' is no number a sample" in done.stderr
    assert values(read_run(tmp_path / "run")) == {
        ("m", "exact_match,strict-match"): [0.0],
        ("m", "exact_match,flexible-extract"): [1.0],
    }
    log.write_text('{"doc_id": 1}\n', "utf-8")
    broken = harness_cli("import", f"m={log}", "--out", tmp_path / "other")
    assert broken.returncode == 2
    assert "line 1" in broken.stderr


# --------------------------------------------------------------------------- the others


def test_results_of_promptfoo(tmp_path: Path, harness_cli: Any) -> None:
    file = FILES / "promptfoo" / "results.json"
    run = imported(tmp_path, harness_cli, file)
    own = json.loads(file.read_text("utf-8"))["results"]["results"]
    found = values(run)
    variants = {variant for variant, _ in found}
    assert len(variants) == 2
    for variant in variants:
        assert len(found[variant, "pass"]) == len(own) / 2
    assert sum(v or 0 for key, vs in found.items() if key[1] == "pass" for v in vs) == sum(
        case["success"] for case in own
    )
    first, second = sorted(variants)
    compared = harness_cli("compare", "run")
    assert compared.returncode == 0, compared.stderr
    assert first[:12] in compared.stdout
    assert second[:12] in compared.stdout
    changed = json.loads(file.read_text("utf-8"))
    changed["results"]["version"] = 2
    (tmp_path / "old.json").write_text(json.dumps(changed), "utf-8")
    old = harness_cli("import", "old.json", "--out", "other")
    assert old.returncode == 2
    assert "version 2 of the promptfoo format is not known" in old.stderr


def test_a_test_run_of_deepeval(tmp_path: Path, harness_cli: Any) -> None:
    file = FILES / "deepeval" / "results.json"
    run = imported(tmp_path, harness_cli, f"tuned={file}")
    own = json.loads(file.read_text("utf-8"))
    cases = own.get("testRunData", own)["testCases"]
    names = {m["name"] for m in cases[0]["metricsData"]}
    for name in names:
        scores = [m["score"] for c in cases for m in c["metricsData"] if m["name"] == name]
        assert values(run)["tuned", name] == scores
    assert [r["output"] for r in run.outputs.to_pylist()] == [c["actualOutput"] for c in cases]


def test_records_of_openai_evals(tmp_path: Path, harness_cli: Any) -> None:
    file = FILES / "openai_evals" / "record.jsonl"
    run = imported(tmp_path, harness_cli, f"dummy={file}")
    events = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    correct = [e["data"]["correct"] for e in events if e.get("type") == "match"]
    assert len(correct) == run.outputs.num_rows > 1
    assert Counter(values(run)["dummy", "match"]) == Counter(map(float, correct))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("d.json", '{"testCases": [{"name": "a"}]}', "a version of deepeval that is not known"),
        ("d.json", '{"testCases": []}', "has no test cases"),
        (
            "o.jsonl",
            '{"spec": {}}\n{"what": 1}\n',
            "line 2: no record of OpenAI",
        ),
        ("o.jsonl", '{"spec": {}}\n{"type": "match"}\n', "line 2: no record of OpenAI Evals"),
        ("o.jsonl", '{"spec": {}}\n', "no sample has a score"),
        ("p.json", '{"evalId": "x", "results": []}', "no output of promptfoo"),
    ],
)
def test_a_shape_that_nobody_has_tried_is_refused(
    tmp_path: Path, harness_cli: Any, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    done = harness_cli("import", name, "--out", "run")
    assert done.returncode == 2
    assert said in done.stderr
    assert name in done.stderr
    assert not (tmp_path / "run").exists()


CSV = """sample_id,variant,input,latency_s,exact_match,note
a,plain,"one, two",0.5,1,seen
a,tuned,"one, two",,0,
b,plain,q,0.25,,x
b,tuned,q,,1,
"""


def test_plain_csv(tmp_path: Path, harness_cli: Any) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(CSV, "utf-8")
    run = imported(tmp_path, harness_cli, file)
    assert values(run) == {("plain", "exact_match"): [1.0, None], ("tuned", "exact_match"): [0, 1]}
    row = run.outputs.to_pylist()[0]
    assert (row["input"], row["latency_s"]) == ("one, two", 0.5)
    assert json.loads(row["metadata"]) == {"note": "seen"}
    long = tmp_path / "long.tsv"
    long.write_text(
        "sample_id\tvariant\tmetric\tvalue\n1\ta\tm\t0.5\n1\ta\tn\t1\n2\ta\tm\t\n", "utf-8"
    )
    done = harness_cli("import", long, "--out", tmp_path / "long")
    assert done.returncode == 0, done.stderr
    assert values(read_run(tmp_path / "long")) == {("a", "m"): [0.5, None], ("a", "n"): [1.0]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variant,m\na,1\n", "the column 'sample_id' is missing"),
        ("sample_id,variant,m\n1,a,x\n", "no column holds numbers"),
        ("sample_id,variant,m\n1,a,1\n2,a,x\n", "line 3: 'x' in column 'm' is no number"),
        ("sample_id,variant,m\n1,a,1\n2,a,nan\n", "line 3: 'm' is 'nan', no finite number"),
        ("sample_id,variant,m\n1,a,1,2\n", "line 2: 4 cells under 3 columns"),
        ("sample_id,variant,m,m\n1,a,1,2\n", "the column 'm' stands twice"),
        ("sample_id,variant,m\n1,,1\n", "line 2: 'variant' is empty"),
        ("sample_id,variant,m\n", "has no rows"),
        ("sample_id,variant,metric,value\n1,a,m,1\n1,a,m,2\n", "stands twice"),
        ("sample_id,variant,m\n1,a,1\n1,a,1\n", "stands in line 1 already"),
        ("sample_id,variant,m\n1,best,1\n", "cannot be called 'best'"),
    ],
)
def test_a_table_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, harness_cli: Any, text: str, said: str
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text, "utf-8")
    done = harness_cli("import", file, "--out", "run")
    assert done.returncode == 2
    assert said in done.stderr
    assert "scores.csv" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_nobody_claims_and_what_is_not_there(tmp_path: Path, harness_cli: Any) -> None:
    (tmp_path / "x.json").write_text('{"hello": 1}', "utf-8")
    unknown = harness_cli("import", "x.json", "--out", "run")
    assert unknown.returncode == 2
    assert "no file of a tool that is known" in unknown.stderr
    missing = harness_cli("import", "a=nowhere.csv", "--out", "run")
    assert missing.returncode == 2
    assert "nowhere.csv" in missing.stderr
    odd = harness_cli("import", "x.json", "--from", "inspct", "--out", "run")
    assert odd.returncode == 2
    assert "Did you mean 'inspect'?" in odd.stderr


def test_a_file_of_several_variants_cannot_be_renamed(tmp_path: Path, harness_cli: Any) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(CSV, "utf-8")
    done = harness_cli("import", f"mine={file}", "--out", "run")
    assert done.returncode == 2
    assert "holds 2 variants (plain, tuned)" in done.stderr
