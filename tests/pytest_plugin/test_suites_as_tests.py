"""``pytest suites/``: what is collected, and how each outcome is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from served_project import SUITE, write_suite

pytest_plugins = ["pytester"]

SHIP = "exact_match superior to best by 0.05"
OPEN = "exact_match superior to base by 0.49"
HELD = "exact_match superior to base by 0.9"


def counts(result: Any) -> dict[str, int]:
    found: dict[str, int] = result.parseoutcomes()
    return found


def test_rules_preflights_and_audits_are_items_named_to_be_read(
    pytester: pytest.Pytester, suites: Path
) -> None:
    result = pytester.runpytest("suites", "--collect-only", "-q")
    ids = [line for line in result.outlines if "::" in line]
    where = "suites/served/suite.py::served::"
    assert f"{where}triage::{SHIP}" in ids
    assert f"{where}triage::exact_match not worse than base by 0.1 in every half" in ids
    assert f"{where}triage::exact_match at least 0.99" in ids
    assert f"{where}triage::tokens_out at most 1 (advisory)" in ids
    assert f"{where}preflights::tuned: the adapter changes what the base says" in ids
    assert f"{where}audits::triage: data are sound" in ids
    assert len(ids) == len(set(ids)) == 7 + 1 + 3


def test_collecting_loads_no_model_and_asks_no_server(suites: Path, server: Any) -> None:
    before = len(server.asked)
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['suites', '--collect-only', '-q', '-p', 'no:cacheprovider'])\n"
        "print('loaded', sorted({'torch', 'transformers', 'openai'} & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=suites.parent, check=True
    )
    assert "loaded [] 0" in done.stdout
    assert len(server.asked) == before


def test_a_suite_is_measured_once_and_each_rule_judged(
    pytester: pytest.Pytester, suites: Path, server: Any
) -> None:
    before = len(server.asked)
    result = pytester.runpytest("suites", "-v")
    assert result.ret == 1
    assert counts(result) == {
        "passed": 6,
        "failed": 1,
        "inconclusive": 2,
        "invalid": 1,
        "skipped": 1,
    }
    # A question a variant, and those of the canary: nothing was measured twice.
    asked = [b["messages"][-1]["content"] for b in server.asked[before:] if b["model"] == "tuned"]
    assert asked.count("q50") == 1
    text = result.stdout.str()
    result.stdout.fnmatch_lines(["*::exact_match superior to base by 0.9 HOLD*"])
    result.stdout.fnmatch_lines([f"*::{OPEN} INCONCLUSIVE*"])
    result.stdout.fnmatch_lines(["HOLD*  triage  base*"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE*  triage  base*[[]+0.4*"])
    result.stdout.fnmatch_lines(["*'min_samples' is 200*"])
    assert "Traceback" not in text
    assert "harness/pytest_plugin" not in text
    assert len(list((pytester.path / "runs" / "served").iterdir())) == 2  # the run, and latest


def test_a_stored_run_is_gated_without_measuring(
    pytester: pytest.Pytester, suites: Path, stored: Path, server: Any
) -> None:
    before = len(server.asked)
    result = pytester.runpytest("suites", "--harness-run", stored, "-k", "best or audits")
    assert result.ret == 0, result.stdout.str()
    assert counts(result) == {"passed": 4, "deselected": 7}
    assert len(server.asked) == before
    assert not (pytester.path / "runs").exists()


def test_a_file_or_one_rule_is_named(pytester: pytest.Pytester, suites: Path, stored: Path) -> None:
    file = "suites/served/suite.py"
    whole = pytester.runpytest(file, "--collect-only", "-q")
    assert len([line for line in whole.outlines if "::" in line]) == 11
    one = pytester.runpytest(f"{file}::served::triage::{SHIP}", "--harness-run", stored)
    assert counts(one) == {"passed": 1}
    # A project that takes every file for tests has it once all the same.
    every = pytester.runpytest("suites", "--collect-only", "-q", "-o", "python_files=*.py")
    assert len([line for line in every.outlines if "::" in line]) == 11


def test_a_folder_of_runs_serves_several_suites(
    pytester: pytest.Pytester, suites: Path, stored: Path, server: Any
) -> None:
    other = write_suite(suites / "other", server.url, SUITE.replace('"served"', '"other"'))
    (pytester.path / "kept").mkdir()
    (pytester.path / "kept" / "served").symlink_to(stored)
    result = pytester.runpytest("suites", "--harness-run", "kept", "-k", "best")
    assert counts(result) == {"passed": 1, "invalid": 1, "deselected": 20}
    result.stdout.fnmatch_lines(["*No run of suite 'other' among 'kept'*"])
    assert other.is_dir()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (('("yes",)', '("no",)'), "task 'triage': the data changed after the run was measured"),
        (('"length_words"', '"f1"'), "task 'triage': the run has no metric 'f1'"),
        (('Task("triage"', 'Task("sorting"'), "the run has no task 'sorting'"),
        (
            ('"length_words"]', '"length_words"], system="Be brief."'),
            "task 'triage': system is 'Be brief.' in the suite and None in the run",
        ),
    ],
)
def test_a_stored_run_that_does_not_match_is_invalid_and_says_what_differs(
    pytester: pytest.Pytester, suites: Path, stored: Path, edit: tuple[str, str], said: str
) -> None:
    file = suites / "served" / "suite.py"
    assert edit[0] in SUITE
    file.write_text(SUITE.replace(*edit), "utf-8")
    result = pytester.runpytest("suites", "--harness-run", stored, "-k", "best")
    assert result.ret == 1
    assert counts(result) == {"invalid": 1, "deselected": 10}
    assert said in result.stdout.str()


def test_a_run_that_was_edited_is_invalid(
    pytester: pytest.Pytester, suites: Path, stored: Path, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(stored, tmp_path / "copy")
    (copy / "run.json").write_text((copy / "run.json").read_text().replace('"seed": 0', '"seed":9'))
    result = pytester.runpytest("suites", "--harness-run", copy, "-k", "best")
    assert counts(result) == {"invalid": 1, "deselected": 10}
    assert "run.json changed after the run was written" in result.stdout.str()


def test_what_is_open_or_invalid_can_be_chosen_not_to_fail(
    pytester: pytest.Pytester, suites: Path, stored: Path
) -> None:
    arguments = ("suites", "--harness-run", stored, "-m", "harness_rule", "-k", "not 0.9")
    options = ("--harness-inconclusive", "xfail", "--harness-invalid", "skip")
    result = pytester.runpytest(*arguments, *options, "-rs")
    assert result.ret == 0
    assert counts(result) == {"passed": 2, "xfailed": 1, "skipped": 2, "deselected": 6}
    result.stdout.fnmatch_lines(["SKIPPED*INVALID: served::triage::exact_match superior*"])


def test_the_environment_and_the_project_choose_too(
    pytester: pytest.Pytester, suites: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "pyproject.toml").write_text(
        f'[tool.harness.pytest]\ninconclusive = "skip"\nrun = "{stored.as_posix()}"\n', "utf-8"
    )
    assert "skipped" in counts(pytester.runpytest("suites", "-k", "0.49"))
    monkeypatch.setenv("HARNESS_PYTEST_INCONCLUSIVE", "xfail")
    assert "xfailed" in counts(pytester.runpytest("suites", "-k", "0.49"))
    given = pytester.runpytest("suites", "-k", "0.49", "--harness-inconclusive", "fail")
    assert "inconclusive" in counts(given)
    monkeypatch.setenv("HARNESS_PYTEST_LIMIT", "many")
    refused = pytester.runpytest("suites")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*HARNESS_PYTEST_LIMIT must be a whole number*"])


def test_last_failed_and_junit(pytester: pytest.Pytester, suites: Path, stored: Path) -> None:
    first = pytester.runpytest("suites", "--harness-run", stored, "--junitxml", "j.xml")
    root = ET.parse(pytester.path / "j.xml").getroot()
    kinds = {
        c.get("name"): [k.tag for k in c if k.tag != "properties"] for c in root.iter("testcase")
    }
    assert kinds[SHIP] == []
    assert kinds[OPEN] == kinds[HELD] == ["failure"]
    # The rule that needs 200 samples reads like the first but for its minimum.
    (invalid,) = [name for name, tags in kinds.items() if tags == ["error"]]
    assert invalid == "exact_match superior to base by 0.05"
    again = pytester.runpytest("suites", "--harness-run", stored, "--lf")
    assert first.ret == again.ret == 1
    assert counts(again) == {"failed": 1, "inconclusive": 2, "invalid": 1, "deselected": 7}


def test_xdist_workers_share_one_run(pytester: pytest.Pytester, suites: Path, server: Any) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    before = len(server.asked)
    result = pytester.runpytest_subprocess("suites", "-n", "2")
    assert counts(result) == {
        "passed": 6,
        "failed": 1,
        "inconclusive": 2,
        "invalid": 1,
        "skipped": 1,
    }
    assert len(list((pytester.path / "runs" / "served").iterdir())) == 2
    asked = [b["messages"][-1]["content"] for b in server.asked[before:] if b["model"] == "tuned"]
    assert asked.count("q50") == 1
    result.stdout.fnmatch_lines(["INCONCLUSIVE*  triage  base*", "*served: run *runs*served*"])


def test_variants_and_limit_are_chosen(
    pytester: pytest.Pytester, suites: Path, server: Any
) -> None:
    before = len(server.asked)
    options = ("--harness-variant", "base", "--harness-limit", "5")
    result = pytester.runpytest("suites", *options, "-m", "harness_rule")
    assert result.ret == 1
    assert counts(result)["invalid"] == 6
    assert "the candidate 'tuned' was not measured in this run" in result.stdout.str()
    asked = {b["messages"][-1]["content"] for b in server.asked[before:] if b["model"] == "base"}
    assert len([question for question in asked if question.startswith("q")]) == 5
    assert not [b for b in server.asked[before:] if b["model"] == "tuned"]


def test_an_adapter_that_changes_nothing_makes_every_rule_invalid(
    pytester: pytest.Pytester, suites: Path
) -> None:
    """The run stops at the preflight, once: no item tries again."""
    from scripted_server import choice, serving

    with serving(lambda body, before: choice("yes")) as same:
        write_suite(suites / "served", same.url)
        result = pytester.runpytest("suites")
        probes = [b for b in same.asked if b["model"] == "tuned"]
    assert counts(result) == {"passed": 3, "invalid": 8}
    assert "INVALID" in result.stdout.str()
    assert len(probes) < 30


# --------------------------------------------------------------------------- bad input


def test_a_suite_that_raises_shows_where_and_cannot_be_deselected(
    pytester: pytest.Pytester, suites: Path, stored: Path
) -> None:
    bad = suites / "bad" / "suite.py"
    bad.parent.mkdir()
    bad.write_text("import harness\n\ndef broken():\n    return 1 / 0\n\nbroken()\n", "utf-8")
    result = pytester.runpytest("suites", "--harness-run", stored, "-k", "best")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*bad*suite.py*line 4, in broken*", "*ZeroDivisionError*"])
    assert "harness/suites.py" not in result.stdout.str()


def test_two_suites_of_one_name_are_refused(
    pytester: pytest.Pytester, suites: Path, server: Any
) -> None:
    write_suite(suites / "twin", server.url)
    result = pytester.runpytest("suites", "--collect-only")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*Two suites are called 'served':*twin*"])


def test_an_option_without_its_argument(pytester: pytest.Pytester, suites: Path) -> None:
    result = pytester.runpytest("suites", "--harness-run")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--harness-run: expected one argument*"])
    missing = pytester.runpytest("suites", "--harness-run", "nowhere")
    assert missing.ret == 4
    missing.stderr.fnmatch_lines(["*there is no 'nowhere'*"])


def test_a_suite_without_a_deciding_rule_is_not_green(
    pytester: pytest.Pytester, suites: Path, stored: Path
) -> None:
    text = SUITE.replace('load_rules(HERE / "rules.toml")', "None")
    (suites / "served" / "suite.py").write_text(text, "utf-8")
    result = pytester.runpytest("suites", "--harness-run", stored)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*INVALID: no gating rule*"])


def test_leaked_samples_are_invalid(pytester: pytest.Pytester, suites: Path, stored: Path) -> None:
    text = SUITE.replace('f"learn {i}"', 'f"Q{i}"')
    (suites / "served" / "suite.py").write_text(text, "utf-8")
    result = pytester.runpytest("suites", "-m", "harness_check", "-k", "audits")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*3 of 80 evaluation samples ask what a training sample asks*"])


def test_a_server_that_is_not_there_is_an_error_and_no_verdict(
    pytester: pytest.Pytester, suites: Path
) -> None:
    write_suite(suites / "served", "http://127.0.0.1:9/v1")
    result = pytester.runpytest("suites", "-k", "best")
    assert result.ret == 1
    assert counts(result) == {"errors": 1, "deselected": 10}
    assert "Traceback" not in result.stdout.str()


def test_without_suites_the_plugin_is_inert(pytester: pytest.Pytester) -> None:
    (pytester.path / "suite.py").write_text("raise RuntimeError('not a suite')\n", "utf-8")
    pytester.makepyfile(test_plain="def test_it():\n    assert True\n")
    result = pytester.runpytest()
    assert result.ret == 0
    assert counts(result) == {"passed": 1}
    assert "harness" not in result.stdout.str().lower().replace("plugins: ", "").split("\n", 3)[3]
