from __future__ import annotations

import pickle
import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import SuiteError, UsageError
from harness.suites import load_suite

HEAD = "from harness import *\n"
DATA = "data = Data(eval=(Sample('a', 'question', ('answer',)),))\n"
GOOD = (
    HEAD
    + DATA
    + "task = Task('t', data, ['exact_match'])\n"
    + "base = Variant('base', 'hf:owner/name')\n"
    + "suite = Suite('s', [task], [base])\n"
)


def write(folder: Path, text: str, **helpers: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.py").write_text(textwrap.dedent(text), encoding="utf-8")
    for name, source in helpers.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return folder


def test_a_folder_or_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "suites" / "desk", GOOD)
    suite = load_suite(folder)
    assert (suite.name, [t.name for t in suite.tasks]) == ("s", ["t"])
    assert load_suite(folder / "suite.py") == suite
    monkeypatch.chdir(tmp_path)
    assert load_suite("suites/desk") == suite
    with pytest.raises(SuiteError, match="Did you mean 'suites/desk'"):
        load_suite("desk")
    with pytest.raises(SuiteError, match=r"has no suite\.py"):
        load_suite(tmp_path)


def test_helpers_of_two_suites_do_not_clash(tmp_path: Path) -> None:
    text = HEAD + (
        "import helper\n"
        "from parts import late\n"
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Mine:\n    x: int = 1\n"
        "mine = Mine()\n"
        "def data(seed):\n"
        "    import helper as again, other\n"
        "    assert again is helper\n"
        "    text = f'{helper.NAME} {other.NAME} {late.NAME} {seed}'\n"
        "    return Data(eval=(Sample(text, 'q'),))\n"
        "suite = Suite(helper.NAME, [Task('t', data, ['f1'])], [Variant('v', 'hf:a/b')])\n"
    )
    suites = []
    path, modules = list(sys.path), set(sys.modules)
    for name in ("one", "two"):
        folder = write(tmp_path / name, text, helper=f"NAME = {name!r}", other=f"NAME = {name!r}")
        (folder / "parts").mkdir()
        (folder / "parts" / "__init__.py").touch()
        (folder / "parts" / "late.py").write_text(f"NAME = {name!r}")
        suites.append(load_suite(folder))
    for suite, name in zip(suites, ("one", "two"), strict=True):
        assert suite.name == name
        made = suite.tasks[0].data(7)  # type: ignore[operator]
        assert made.eval[0].id == f"{name} {name} {name} 7"
    assert sys.path == path
    added = set(sys.modules) - modules
    assert not {"helper", "other", "parts", "parts.late"} & added
    loaded = [sys.modules[name] for name in added if name.startswith("suite_")]
    assert len(loaded) == 2
    assert pickle.loads(pickle.dumps(loaded[0].mine)).x == 1  # noqa: S301


def test_an_edit_is_seen_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("'s'", "helper.NAME") + "\n"
    folder = write(tmp_path / "s", "import helper\n" + text, helper="NAME = 'aa'")
    assert load_suite(folder).name == "aa"
    write(folder, "import helper\n" + text, helper="NAME = 'bb'")
    assert load_suite(folder).name == "bb"


def test_a_syntax_error_is_shown_as_python_shows_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", "x = 1\nsuite = Suite('s',, 3)\n")
    with pytest.raises(SuiteError) as error:
        load_suite(folder)
    message = str(error.value)
    assert f'File "{folder / "suite.py"}", line 2' in message
    assert "suite = Suite('s',, 3)" in message
    assert "^" in message

    write(folder, "import helper\n", helper="def broken(:\n")
    with pytest.raises(SuiteError, match=r'helper\.py", line 1'):
        load_suite(folder)


def test_an_exception_shows_the_users_frames_only(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "s",
        "import helper\nhelper.make()\n",
        helper="import json\ndef make():\n    return json.loads('{')\n",
    )
    path, modules = list(sys.path), set(sys.modules)
    with pytest.raises(SuiteError) as error:
        load_suite(folder)
    message = str(error.value)
    assert 'suite.py", line 2' in message
    assert 'helper.py", line 3, in make' in message
    assert "JSONDecodeError" in message
    assert "json/decoder.py" not in message
    assert "suites.py" not in message
    assert sys.path == path
    assert "helper" not in set(sys.modules) - modules

    write(folder, "import sys; sys.exit(0)")
    with pytest.raises(SuiteError, match="SystemExit"):
        load_suite(folder)
    write(folder, "from harness.errors import SourceError\nraise SourceError('no network')")
    with pytest.raises(UsageError, match=r"^no network$"):
        load_suite(folder)


@pytest.mark.parametrize(
    ("fails", "says"),
    [("{}['colour']", "KeyError: 'colour'"), ("__import__('sys').exit()", "SystemExit")],
)
def test_what_a_data_function_raises_is_the_suites_mistake(
    tmp_path: Path, fails: str, says: str
) -> None:
    text = GOOD.replace("Task('t', data", "Task('t', make") + "\n"
    folder = write(
        tmp_path / "s",
        "import helper\ndef make(seed):\n    return helper.rows()\n" + text,
        helper=f"def rows():\n    return {fails}\n",
    )
    task = load_suite(folder).tasks[0]
    with pytest.raises(SuiteError) as error:
        task.data(0)  # type: ignore[operator]
    message = str(error.value)
    assert "the data of task 't' could not be made" in message
    assert 'suite.py", line 3, in make' in message
    assert 'helper.py", line 2, in rows' in message
    assert says in message
    assert "suites.py" not in message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("suite = ", "sweet = ", "It defines one as 'sweet'"),
        ("suite = Suite('s', [task], [base])", "suite = 3", "defines 'suite' as int"),
        ("[task]", "[]", "at least one task"),
        ("[base]", "[]", "at least one variant"),
        ("[task]", "[task, task]", "two tasks are named 't'"),
        ("[base]", "[base, base]", "two variants are named 'base'"),
        ("[base]", "['base']", "'base' among the variants is not a Variant"),
        ("'base', 'hf", "'ba/se', 'hf", "without '/'"),
        ("Task('t'", "Task('../t'", "without '/'"),
        ("Suite('s'", "Suite('a/s'", "without '/'"),
        ("'hf:owner/name'", "'owner/name'", "variant 'base': model: 'owner/name' is not"),
        ("'hf:owner/name'", "'hf:a/b', precision='int4'", "'int4' is not known"),
        ("'hf:owner/name'", "'hf:a/b', shots=Shots(0)", "[shots]: k must be at least 1"),
        ("'t', data", "'t', [1]", "data must be a Data, or a function"),
        ("['exact_match']", "[]", "at least one scorer"),
        ("['exact_match']", "'exact_match'", "scorers must be a list"),
        ("['exact_match']", "['exact']", "task 't': no scorer exact"),
        ("['exact_match']", "['exact_match'], prompt='Go.'", "lacks '{input}'"),
        ("['exact_match']", "['exact_match'], passages='{question}'", "lacks '{documents}'"),
        ("['exact_match']", "['exact_match'], max_new_tokens=0", "at least 1"),
        ("[base])", "[base], rules={})", "rules must be a harness.RuleSet"),
        ("[base])", "[base], rules=RuleSet('bass', ()))", "candidate 'bass' is unknown. Did you"),
        (
            "[base])",
            "[base], rules=RuleSet('base', (Rule('f1', 'superior', 'bst', 0.0),)))",
            "versus 'bst' is unknown. Did you mean 'best'?",
        ),
        (
            "[base])",
            "[base], rules=RuleSet('base', (Rule('f1', 'superior', 'best', 0.0, task='u'),)))",
            "task 'u' is unknown",
        ),
        (
            "[base])",
            "[base], rules=RuleSet('base', (Rule('f1', 'superior', 'best', -1.0),)))",
            "margin",
        ),
    ],
)
def test_what_a_suite_must_not_say(tmp_path: Path, old: str, new: str, says: str) -> None:
    def check(scorer: object) -> None:
        if scorer != "exact_match":
            raise UsageError(f"no scorer {scorer}")

    assert old in GOOD
    folder = write(tmp_path / "s", GOOD.replace(old, new))
    with pytest.raises(UsageError) as error:
        load_suite(folder, check_scorer=check)
    assert says in str(error.value)
    assert "suite.py" in str(error.value)


def test_relative_models_start_at_the_suite(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", GOOD.replace("hf:owner/name", "./models/base"))
    assert load_suite(folder).variants[0].model == str(folder / "models" / "base")
