"""``run --staged``, ``--sequential`` and the probe as a user calls them, on the real model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Harness = Callable[..., subprocess.CompletedProcess[str]]

SUITE = """
from harness import Adapter, Data, LoraRecipe, Sample, Shots, Suite, Task, Variant
from harness.rules import parse_rules

MODEL = {model!r}
samples = tuple(Sample(f"s{{i}}", f"Item {{i}}?", targets=("banana",)) for i in range(40))
train = tuple(Sample(f"t{{i}}", f"Item {{i}}?", targets=("banana",)) for i in range(100, 116))
recipe = LoraRecipe(
    precision="bf16",
    lora_r=4,
    learning_rate=5e-3,
    max_steps=8,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=1,
    max_length=128,
)
suite = Suite(
    name="fruit",
    tasks=[
        Task(
            name="fruit",
            data=Data(eval=samples, train=train),
            system="Answer with one word.",
            scorers=["exact_match"],
            max_new_tokens=4,
        )
    ],
    variants=[
        Variant("zero_shot", MODEL),
        Variant("few_shot", MODEL, shots=Shots(2)),
        Variant("adapter", MODEL, adapter=Adapter(recipe=recipe)),
    ],
    rules=parse_rules({rules!r}, where="suite.py"),
)
"""
SUPERIOR = {"metric": "exact_match", "role": "superior", "versus": "zero_shot", "margin": 0.1}
LATENCY = {"metric": "latency_p50", "role": "guardrail", "max": 600.0, "min_samples": 8}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without answers, adapters and spendings, over the weights already fetched."""
    from harness import sources

    fetched, mine = sources.cache_dir(), tmp_path / "cache"
    mine.mkdir()
    for name in ("pypi", "hub", "converted"):
        if (fetched / name).exists():
            (mine / name).symlink_to(fetched / name)
    monkeypatch.setenv("HARNESS_CACHE", str(mine))
    return mine


def write(folder: Path, model: Path | str, *rules: dict, **options) -> None:  # type: ignore[type-arg]
    made = {"candidate": "adapter", "rule": list(rules), **options}
    home = folder / "suites" / "fruit"
    home.mkdir(parents=True, exist_ok=True)
    (home / "suite.py").write_text(SUITE.format(model=str(model), rules=made), "utf-8")


def read(folder: Path) -> dict:  # type: ignore[type-arg]
    found: dict = json.loads((folder / "run.json").read_text("utf-8"))  # type: ignore[type-arg]
    return found


@pytest.mark.model
def test_no_adapter_is_trained_where_a_prompt_will_do(
    tmp_path: Path, smollm2: Path, cache: Path, harness_cli: Harness
) -> None:
    target = {"metric": "exact_match", "min": 0.7}
    write(tmp_path, smollm2, SUPERIOR, LATENCY, target=[target])
    done = harness_cli("run", "suites/fruit", "--staged", "--out", "run")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no adapter needed: 'few_shot' meets every target: exact_match >= 0.7 (" in done.stdout
    assert "ship     few_shot" in done.stdout
    assert "training" not in done.stderr
    assert not (cache / "adapters").exists(), "nothing was trained"
    manifest = read(tmp_path / "run")
    assert manifest["staged"] == {"stopped": True, "met_by": "few_shot"}
    assert list(manifest["variants"]) == ["zero_shot", "few_shot"]
    assert manifest["not_measured"] == {"adapter": {"has_adapter": True}}
    assert manifest["spent"]["tries"] == 0
    assert manifest["spent"]["evaluation_s"] > 0
    # The stored run says so again, and not for a target that it does not prove.
    assert harness_cli("gate", "run", "--json", "verdict.json").returncode == 1
    verdict = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert (verdict["verdict"], verdict["recommendation"]) == ("HOLD", "few_shot")
    assert harness_cli("report", "run", "--out", "report.html").returncode == 0
    assert "No adapter needed" in (tmp_path / "report.html").read_text("utf-8")
    (tmp_path / "rules.toml").write_text(
        'candidate = "adapter"\n[[rule]]\nmetric = "exact_match"\nrole = "guardrail"\nmin = 0.1\n'
        '[[target]]\nmetric = "exact_match"\nmin = 0.999\n',
        "utf-8",
    )
    assert harness_cli("gate", "run", "--rules", "rules.toml").returncode == 4


@pytest.mark.model
def test_a_clear_adapter_ships_before_all_samples_are_measured(
    tmp_path: Path, smollm2: Path, cache: Path, harness_cli: Harness
) -> None:
    write(tmp_path, smollm2, SUPERIOR, LATENCY, target=[{"metric": "f1", "min": 0.7}])
    args = ("run", "suites/fruit", "--variant", "zero_shot", "--variant", "adapter")
    wrong = harness_cli(*args, "--staged", "--out", "run")
    assert wrong.returncode == 2
    assert "no task has the metric 'f1'" in wrong.stderr
    done = harness_cli(*args, "--sequential", "--batch", "32", "--out", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "look 1 (fruit 32 of 40 samples): SHIP" in done.stderr
    manifest = read(tmp_path / "run")
    assert manifest["sequential"]["stopped"] is True
    assert manifest["tasks"]["fruit"]["n"] == 32
    probe = manifest["probe"]["tasks"]["fruit"]
    assert {v: len(x) for v, x in probe["latency_s"].items()} == {"zero_shot": 8, "adapter": 8}
    assert all(seconds > 0 for x in probe["latency_s"].values() for seconds in x)
    assert manifest["spent"]["tries"] == 1
    assert manifest["spent"]["training_s"] > 0
    again = harness_cli(*args, "--sequential", "--batch", "32", "--out", "again", "--probe", "0")
    # Without a probe nothing is known of the latency that a rule speaks of.
    assert again.returncode == 4, again.stdout
    assert read(tmp_path / "again")["spent"]["tries"] == 1, "an adapter is trained once"
    (tmp_path / "cache" / "spent" / "fruit.jsonl").write_text("nonsense\n", "utf-8")
    damaged = harness_cli(*args, "--out", "damaged")
    assert damaged.returncode == 2
    assert "fruit.jsonl, line 1" in damaged.stderr


@pytest.mark.model
def test_an_interrupted_training_is_a_try_that_counts(
    tmp_path: Path, smollm2: Path, cache: Path, harness_cli: Harness
) -> None:
    write(tmp_path, smollm2, SUPERIOR)
    suite = tmp_path / "suites" / "fruit" / "suite.py"
    suite.write_text(suite.read_text("utf-8").replace("max_steps=8", "max_steps=5000"), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "train", "suites/fruit"],
        cwd=tmp_path,
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    # A step is done: the libraries are loaded, some of which handle signals while they are.
    assert any("loss" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    entry = json.loads((cache / "spent" / "fruit.jsonl").read_text("utf-8"))
    assert (entry["kind"], entry["variant"], entry["finished"]) == ("training", "adapter", False)
    assert entry["seconds"] > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--staged"], "Add a [[target]]"),
        (["--staged", "--sequential"], "Choose one"),
        (["--batch", "10"], "--batch goes with --sequential"),
        (["--sequential", "--batch", "0"], "--batch"),
        (["--probe", "-1"], "--probe"),
    ],
)
def test_options_that_do_not_fit_exit_2(
    tmp_path: Path, harness_cli: Harness, options: list[str], says: str
) -> None:
    write(tmp_path, "hf:nobody/nothing", SUPERIOR)
    done = harness_cli("run", "suites/fruit", *options)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
