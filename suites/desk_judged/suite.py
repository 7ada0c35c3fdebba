"""The demo with a judge: `suites/desk`, and a local model that says whether a code is right.

Whether it may gate is the calibration's to say, which `demo.py` makes before the run. A judge that
is not good enough is shown, and decides nothing.
"""

from dataclasses import replace
from pathlib import Path

from judge import critic

from harness import Rule, RuleSet, Suite
from harness.scorers import Judge
from harness.suites import load_suite

HERE = Path(__file__).parent

desk = load_suite(HERE.parent / "desk")
accuracy = Judge("accuracy", critic()).in_folder(HERE)
tasks = [
    replace(task, scorers=[*task.scorers, accuracy]) if task.name == "codes" else task
    for task in desk.tasks
]
rule = Rule(
    metric="judge_accuracy",
    role="superior",
    versus="best",
    margin=0.2,
    task="codes",
    advisory=not accuracy.may_gate,
)

suite = Suite(
    "desk_judged",
    tasks,
    desk.variants,
    replace(desk.rules or RuleSet(), rules=(*desk.rules.rules, rule)),
)
