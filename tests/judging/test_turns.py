"""Conversations: the second question after the variant's own first answer; a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytest.importorskip("openai", reason="the extra 'server' is not installed")

from scripted_judge import rating, shown
from scripted_server import Body, Said, Scripted, choice, serving

from harness.store.runs import read_run

Run = Callable[..., CompletedProcess[str]]

SUITE = """
from pathlib import Path
from harness import JudgeModel, Data, Suite, Task
from harness.data import samples_from_jsonl
from harness.recipes import load_variant
from harness.rules import parse_rules
from harness.scorers import Judge

HERE = Path(__file__).parent
suite = Suite(
    "talks",
    [
        Task(
            "t",
            Data(samples_from_jsonl(HERE / "samples.jsonl")),
            ["exact_match", Judge("helpfulness", JudgeModel("critic", "URL", max_retries=0))],
            system="Be brief.",
            prompt="Q: {input}",
        )
    ],
    [load_variant(HERE / f"{name}.toml") for name in ("base", "tuned")],
    parse_rules(
        {
            "candidate": "tuned",
            "rule": [
                {"metric": "exact_match", "role": "superior", "versus": "base", "margin": 0.05}
            ],
        },
        where="suite.py",
    ),
)
"""


def answers(body: Body, before: int) -> Said:
    if shown(body):
        return rating(4)
    turns = body["messages"]
    if len(turns) == 1:
        return choice("OK")
    name, question = body["model"], turns[-1]["content"]
    if question == "Q: q13" and name == "base":
        return Said(400, {"error": {"message": "no"}})
    if len(turns) > 2:
        # The second turn depends on what was said in the first.
        return choice(f"and {turns[-2]['content']}" if name == "tuned" else "what?")
    return choice(f"{name} {question[3:]}")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(answers, ["base", "tuned", "critic"]) as script:
        yield script


@pytest.fixture
def run(tmp_path: Path, harness_cli: Run, server: Scripted) -> Callable[..., CompletedProcess[str]]:
    suite = tmp_path / "talks"
    suite.mkdir()
    (suite / "suite.py").write_text(SUITE.replace("URL", server.url), "utf-8")
    common = f'model = "base"\n[server]\nbase_url = "{server.url}"\n'
    (suite / "base.toml").write_text(common, "utf-8")
    (suite / "tuned.toml").write_text(f'{common}[adapter]\nserved = "tuned"\n', "utf-8")
    rows = [
        {
            "id": f"s{i}",
            "input": f"q{i}",
            "target": f"tuned q{i}",
            "follow_ups": [{"input": "and?", "target": f"and tuned q{i}"}],
        }
        for i in range(30)
    ]
    (suite / "samples.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")

    def call(*args: str) -> CompletedProcess[str]:
        env = {"HARNESS_CACHE": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
        return harness_cli(*args, cwd=tmp_path, env=env)

    return call


def test_the_second_question_follows_the_variants_own_answer(
    run: Callable[..., CompletedProcess[str]], server: Scripted, tmp_path: Path
) -> None:
    done = run("run", "talks", "--out", "one")
    # Two answers are missing, and at their worst they would be against it.
    assert done.returncode == 3, done.stdout + done.stderr
    made = read_run(tmp_path / "one")
    rows = {(r["variant"], r["sample_id"]): r for r in made.outputs.to_pylist()}
    assert len(rows) == 2 * 30 * 2
    assert rows["tuned", "s7@2"]["output"] == "and tuned q7"
    assert rows["base", "s7@2"]["output"] == "what?"
    assert rows["tuned", "s7@2"]["cluster"] == rows["tuned", "s7"]["cluster"] == "s7"
    # What was asked is the same for all; what the variant itself said before is in the prompt.
    assert rows["tuned", "s7@2"]["input"] == rows["base", "s7@2"]["input"]
    sent = json.loads(rows["tuned", "s7@2"]["prompt"])
    assert [(m["role"], m["content"]) for m in sent] == [
        ("system", "Be brief."),
        ("user", "Q: q7"),
        ("assistant", "tuned q7"),
        ("user", "and?"),
    ]
    # Without the first answer there is no second, and nobody is asked for it.
    assert rows["base", "s13@2"]["output"] is None
    assert "turn 1 is missing" in rows["base", "s13@2"]["error"]
    assert made.manifest["tasks"]["t"]["n"] == 60

    judged = [shown(body) for body in server.asked if shown(body)]
    talks = [one["answer"] for one in judged if one["answer"].endswith("and tuned q7")]
    assert talks == ["[assistant]\ntuned q7\n\n[user]\nand?\n\n[assistant]\nand tuned q7"]

    asked = len(server.asked)
    assert run("run", "talks", "--out", "two").returncode == 3
    new = [b for b in server.asked[asked:] if shown(b) or "q" in str(b["messages"][-1])]
    # The one that failed is asked for again, and the probes of the adapter.
    again = {f"Q: q{i}" for i in (0, 1, 2, 3, 13)}
    assert {body["messages"][-1]["content"] for body in new} <= again


def test_labels_of_a_second_turn_are_of_the_conversation(
    run: Callable[..., CompletedProcess[str]], server: Scripted, tmp_path: Path
) -> None:
    run("run", "talks", "--out", "one")
    labels = [
        {"sample_id": f"s{i}@2", "variant": "tuned", "human": 4 + i % 2} for i in range(10, 20)
    ]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(r) + "\n" for r in labels), "utf-8")
    asked = len(server.asked)
    calibrate = ["judge", "calibrate", "talks", "--labels", "labels.jsonl", "--run", "one"]
    done = run(*calibrate, "--no-probes", "--json")
    assert done.returncode == 0, done.stderr
    # All were judged in the run, so none is asked again: the texts are the same.
    assert not [body for body in server.asked[asked:] if shown(body)]
    assert json.loads(done.stdout)["figures"]["accuracy"] == 0.5
