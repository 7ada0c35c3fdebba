"""A suite with a judge, as a user runs, calibrates and gates it; judge and variants on a real
server that a script stands behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra 'server' is not installed")

from scripted_judge import by_reference, shown
from scripted_server import Body, Said, Scripted, choice, serving

from harness.store.runs import judgments_of, read_run

Run = Callable[..., CompletedProcess[str]]

SUITE = """
from pathlib import Path
from harness import Data, JudgeModel, Sample, Suite, Task
from harness.recipes import load_variant
from harness.rules import parse_rules
from harness.scorers import Judge

HERE = Path(__file__).parent
samples = tuple(Sample(f"s{i}", f"q{i}", (f"yes {i}",)) for i in range(40))
judge = Judge(RUBRIC, JudgeModel("critic", "URL", max_retries=1, cost_per_1k_tokens=1.0), OPTIONS)
suite = Suite(
    "judged",
    [Task("t", Data(samples), ["exact_match", judge], system="Say yes.")],
    [load_variant(HERE / f"{name}.toml") for name in ("base", "tuned")],
    parse_rules(
        {
            "candidate": "tuned",
            "rule": [
                {"metric": METRIC, "role": "superior", "versus": "base", "margin": 0.05, ADVISORY}
            ],
        },
        where="suite.py",
    ),
)
"""


def answers(body: Body, before: int) -> Said:
    """The adapter is right, the base every fourth time; the judge goes by the reference."""
    seen = shown(body)
    if seen:
        return by_reference(seen, body)
    question = body["messages"][-1]["content"]
    if not question.startswith("q"):
        return choice("OK")
    number = int(question[1:])
    right = body["model"] == "tuned" or number % 4 == 0
    return choice(f"yes {number}" if right else "no")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(answers, ["base", "tuned", "critic"]) as script:
        yield script


class Project:
    """A folder with the suite, and the commands in it."""

    def __init__(self, folder: Path, url: str, cli: Run) -> None:
        self.folder, self.url, self.cli = folder, url, cli
        self.suite = folder / "suites" / "judged"
        self.suite.mkdir(parents=True)
        common = f'model = "base"\n[server]\nbase_url = "{url}"\n'
        (self.suite / "base.toml").write_text(common, "utf-8")
        (self.suite / "tuned.toml").write_text(f'{common}[adapter]\nserved = "tuned"\n', "utf-8")
        self.write()

    def write(
        self,
        rubric: str = '"accuracy"',
        options: str = "",
        metric: str = "judge_accuracy",
        advisory: str = "",
    ) -> None:
        parts = {"RUBRIC": rubric, "OPTIONS": options, "URL": self.url, "ADVISORY": advisory}
        text = SUITE
        for name, value in {**parts, "METRIC": repr(metric)}.items():
            text = text.replace(name, value)
        (self.suite / "suite.py").write_text(text, "utf-8")

    def __call__(self, *args: str | Path) -> CompletedProcess[str]:
        env = {"HARNESS_CACHE": str(self.folder / "cache"), "NO_PROXY": "127.0.0.1"}
        return self.cli(*args, cwd=self.folder, env=env)

    def labels(self, rows: list[Mapping[str, Any]], name: str = "labels.jsonl") -> Path:
        file = self.folder / name
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return file


@pytest.fixture
def project(tmp_path: Path, server: Scripted, harness_cli: Run) -> Project:
    return Project(tmp_path, server.url, harness_cli)


def ratings(n: int = 40) -> list[Mapping[str, Any]]:
    """What people say of the base's answers, and of some of the adapter's."""
    base = [
        {"sample_id": f"s{i}", "variant": "base", "human": 5 if i % 4 == 0 else 1} for i in range(n)
    ]
    return base + [{"sample_id": f"s{i}", "variant": "tuned", "human": 5} for i in range(0, n, 2)]


def test_from_no_calibration_to_a_gate_and_back(project: Project, server: Scripted) -> None:
    done = project("run", "suites/judged", "--out", "first")
    assert done.returncode == 4, done.stderr
    assert "was never calibrated" in done.stdout
    assert "harness judge calibrate" in done.stdout

    run = read_run(project.folder / "first")
    about = run.manifest["judges"]["judge_accuracy"]
    # Right answers are the same text by both variants, and so are the wrong ones of a sample.
    assert about["calls"] + about["shared"] == 80
    assert about["cached"] == 0
    verdicts = judgments_of(run)
    assert verdicts is not None
    rows = verdicts.to_pylist()
    assert len(rows) == 80
    assert {row["value"] for row in rows if row["variant"] == "tuned"} == {5.0}
    assert rows[0]["rationale"] == "because"

    labels = project.labels(ratings())
    asked = len(server.asked)
    done = project(
        "judge", "calibrate", "suites/judged", "--labels", labels, "--run", "first", "--json"
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["figures"]["n"] == 60
    assert made["figures"]["weighted_kappa"] == 1.0
    assert 0.6 < made["figures"]["weighted_kappa_ci"][0] < 1
    assert made["figures"]["constant_accuracy"] == 0.5
    # What the run asked is known; only the probes are new, besides a greeting.
    new = [shown(body)["question"] for body in server.asked[asked:] if shown(body)]
    assert not [text for text in new if "Say yes." in text]
    assert (project.suite / "calibrations" / "judge_accuracy.json").is_file()
    assert {row["fooled"] for row in made["probes"]} == {0}

    asked = len(server.asked)
    done = project("run", "suites/judged", "--out", "second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [body for body in server.asked[asked:] if shown(body)]
    assert project("gate", "second").returncode == 0
    assert project("gate", "first").returncode == 4
    assert project("report", "second", "--out", "r.html").returncode == 0

    # Another rubric under the same name is another judge.
    project.write(rubric='"rubrics/accuracy.md"')
    (project.suite / "rubrics").mkdir()
    text = "Be strict. {question} {reference} {answer}"
    (project.suite / "rubrics" / "accuracy.md").write_text(text, "utf-8")
    done = project("run", "suites/judged", "--out", "third")
    assert done.returncode == 4
    assert "stale: the rubric is not what was calibrated" in done.stdout


def test_an_advisory_rule_is_shown_and_decides_nothing(project: Project) -> None:
    project.write(advisory='"advisory": True')
    done = project("run", "suites/judged", "--out", "run")
    assert done.returncode == 4
    assert "no gating rule" in done.stdout
    assert project("gate", "run", "--json", "verdict.json").returncode == 4
    (row,) = json.loads((project.folder / "verdict.json").read_text("utf-8"))["rules"]
    assert (row["gating"], row["status"]) == (False, "SHIP")


def test_a_weak_judge_may_not_gate(project: Project) -> None:
    wrong = [{**row, "human": 1 + (i * 7) % 5} for i, row in enumerate(ratings())]
    project("run", "suites/judged", "--out", "run")
    labels = project.labels(wrong)
    done = project(
        *("judge", "calibrate", "suites/judged", "--labels", labels, "--run", "run", "--no-probes")
    )
    assert done.returncode == 0, done.stderr
    assert "may not gate" in done.stdout
    done = project("run", "suites/judged", "--out", "again")
    assert done.returncode == 4
    assert "agreement with people is not proved" in done.stdout


def test_pairwise_against_a_variant(project: Project) -> None:
    options = 'versus="base"'
    project.write('"preference_with_reference"', options, "judge_preference_with_reference")
    project("run", "suites/judged", "--out", "run")
    # A pair of the same answer, whatever the order, is a tie.
    rows = [
        {
            "sample_id": f"s{i}",
            "variant_1": "tuned",
            "variant_2": "base",
            "human": "tie" if i % 4 == 0 else "1",
        }
        for i in range(40)
    ]
    labels = project.labels(rows)
    calibrate = ("judge", "calibrate", "suites/judged", "--labels", labels, "--run", "run")
    done = project(*calibrate, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert (figures["accuracy_forward"], figures["order_agreement"]) == (1.0, 1.0)
    done = project("run", "suites/judged", "--out", "second")
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(project.folder / "second")
    scores = {
        (row["variant"], row["value"])
        for row in run.scores.to_pylist()
        if row["metric"] == "judge_preference_with_reference"
    }
    assert scores == {("base", 0.5), ("tuned", 1.0), ("tuned", 0.5)}
    lengths = run.manifest["judges"]["judge_preference_with_reference"]["length_controlled"]
    assert lengths["t"]["tuned"]["win_rate"] == pytest.approx(0.875)


def test_the_judge_is_told_apart_from_its_subject(project: Project) -> None:
    file = project.suite / "suite.py"
    file.write_text(file.read_text("utf-8").replace('"critic"', '"base"'), "utf-8")
    project("run", "suites/judged", "--out", "run")
    manifest = read_run(project.folder / "run").manifest
    assert any("judges favour" in text for text in manifest["warnings"])
    judges = manifest["judges"]["judge_accuracy"]["judges"]
    assert judges[0]["same_as_subject"] == ["base", "tuned"]


@pytest.mark.parametrize(
    ("rubric", "options", "why"),
    [
        ('"preference"', "", "Name the variant to compare with"),
        ('"accuracy"', 'versus="base"', "versus has no effect"),
        ('"preference"', 'versus="bse"', "compares with 'bse', which this run does not measure"),
        ('"accurate"', "", "There is no rubric 'accurate'"),
        ('"none.md"', "", "cannot be read"),
        ('"accuracy"', "repeats=3", "asks 'critic' the same greedy question again"),
        ('"accuracy"', "floor=0", "floor must be above 0"),
        ('"accuracy"', "max_total_tokens=-1", "max_total_tokens must be above 0"),
    ],
)
def test_a_judge_that_is_written_wrong(
    project: Project, server: Scripted, rubric: str, options: str, why: str
) -> None:
    project.write(rubric, options)
    done = project("run", "suites/judged", "--out", "run")
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stderr
    assert not [body for body in server.asked if str(body).find("q1") > 0]


WRONG_LABELS = [
    ({"sample_id": "s99", "variant": "base", "human": 3}, "has no sample 's99'"),
    ({"sample_id": "s1", "variant": "bsae", "human": 3}, "Did you mean 'base'"),
    ({"sample_id": "s1", "variant": "base", "human": 6}, "as the judge rates one answer; got 6"),
    ({"sample_id": "s1", "variant": "base", "human": "1"}, "got '1'"),
    ({"sample_id": "s1", "human": 3}, "'answer' must be a text, got None"),
    ({"sample_id": "s0", "variant": "base", "human": 5}, "labelled in"),
]


def test_labels_that_are_wrong(project: Project) -> None:
    project("run", "suites/judged", "--out", "run")
    for row, why in WRONG_LABELS:
        labels = project.labels([{"sample_id": "s0", "variant": "base", "human": 5}, row])
        done = project("judge", "calibrate", "suites/judged", "--labels", labels, "--run", "run")
        assert done.returncode == 2, done.stdout
        assert f"{labels}:2" in done.stderr
        assert why in done.stderr
        assert not (project.suite / "calibrations").exists()


def test_a_calibration_that_was_touched_is_refused(project: Project) -> None:
    project("run", "suites/judged", "--out", "run")
    labels = project.labels(ratings())
    project("judge", "calibrate", "suites/judged", "--labels", labels, "--run", "run")
    file = project.suite / "calibrations" / "judge_accuracy.json"
    found = json.loads(file.read_text("utf-8"))
    found["figures"]["weighted_kappa_ci"] = [0.99, 1.0]
    file.write_text(json.dumps(found), "utf-8")
    done = project("run", "suites/judged", "--out", "again")
    assert done.returncode == 2
    assert "changed after it was written" in done.stderr


def test_probe_alone(project: Project, server: Scripted) -> None:
    done = project("judge", "probe", "suites/judged", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["probes"]
    assert {row["fooled"] for row in rows} == {0}
    assert {row["asked"] for row in rows} == {5}


def test_a_judge_that_goes_away_costs_only_what_it_had_in_hand(
    project: Project, server: Scripted
) -> None:
    usual, judged = server.answer, []

    def fails_after_a_while(body: Body, before: int) -> Said | None:
        if shown(body):
            judged.append(body)
            if len(judged) > 25:
                return Said(reset=True)
        return usual(body, before)

    server.answer = fails_after_a_while
    done = project("run", "suites/judged", "--out", "run")
    assert done.returncode == 2
    assert "has stopped answering" in done.stderr
    server.answer = usual
    asked = len(server.asked)
    done = project("run", "suites/judged", "--out", "run")
    assert done.returncode == 4, done.stderr
    run = read_run(project.folder / "run")
    about = run.manifest["judges"]["judge_accuracy"]
    assert (about["cached"], about["failed"]) == (25, 0)
    assert about["calls"] + about["cached"] + about["shared"] == 80
    # The variants' answers were all there.
    assert len([b for b in server.asked[asked:] if shown(b)]) == about["calls"]
