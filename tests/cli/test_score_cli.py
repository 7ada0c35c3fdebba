"""``harness score`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROWS = [
    {"id": "a", "prediction": " Paris\n", "reference": "Paris", "model": "m"},
    {"id": "b", "prediction": "the cat", "reference": ["a cat", "dog"]},
    {"id": "c", "prediction": "", "reference": "日本語"},
    {"id": "d", "prediction": "x", "reference": []},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, *(json.dumps(row) for row in ROWS))


def write(folder: Path, *lines: str) -> Path:
    path = folder / "predictions.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def score(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "score", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lines(text: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines()]
    assert all(set(row) == {"id", "scores"} for row in rows)
    return {row["id"]: row["scores"] for row in rows}


def test_rows_and_summary(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    done = score(file, "--scorer", "exact_match,f1", "--scorer", "rouge_l", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    rows = lines(out.read_text("utf-8"))
    assert list(rows) == ["a", "b", "c", "d"]
    assert rows["a"] == {"exact_match": 1.0, "f1": 1.0, "rouge_l": 1.0}
    assert rows["b"] == {"exact_match": 0.0, "f1": 1.0, "rouge_l": 0.5}
    assert rows["c"] == {"exact_match": 0.0, "f1": 0.0, "rouge_l": None}
    assert rows["d"] == {"exact_match": None, "f1": None, "rouge_l": None}
    summary = json.loads(done.stdout)
    assert summary["n"] == 4
    counts = {k: (m["scored"], m["unscored"], m["mean"]) for k, m in summary["metrics"].items()}
    assert counts == {
        "exact_match": (3, 1, pytest.approx(1 / 3)),
        "f1": (3, 1, pytest.approx(2 / 3)),
        "rouge_l": (2, 2, pytest.approx(0.75)),
    }
    assert summary["metrics"]["f1"]["reasons"] == {"the sample has no target": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.jsonl", "scores.jsonl"]


def test_without_out_rows_go_to_standard_output_alone(file: Path) -> None:
    done = score(file, "--scorer", "f1")
    assert done.returncode == 0
    assert set(lines(done.stdout)) == {"a", "b", "c", "d"}
    assert "3 scored, 1 unscored" in done.stderr


def test_format_needs_no_reference(tmp_path: Path) -> None:
    file = write(tmp_path, '{"id": "a", "prediction": "yes"}', '{"id": "b", "prediction": "Yes."}')
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "number"}')
    labels = score(file, "--scorer", "format", "--label", "yes", "--label", "no")
    assert lines(labels.stdout) == {"a": {"format": 1.0}, "b": {"format": 0.0}}
    regex = score(file, "--scorer", "format", "--regex", "(?i)yes[.]?")
    assert lines(regex.stdout) == {"a": {"format": 1.0}, "b": {"format": 1.0}}
    strict = score(file, "--scorer", "format", "--schema", schema)
    assert lines(strict.stdout) == {"a": {"format": 0.0}, "b": {"format": 0.0}}
    needs = score(file, "--scorer", "format", "--label", "yes", "--scorer", "f1")
    assert needs.returncode == 2
    assert "line 1: 'reference'" in needs.stderr


GOOD = json.dumps(ROWS[0])
START = '{"id": "b", "prediction": "x"'


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"id": "b", "prediction": "x"', "not JSON"),
        ('{"id": "b", "prediction": NaN, "reference": "x"}', "NaN is not JSON"),
        ('["b"]', "must be a JSON object"),
        ('{"id": 2, "prediction": "x", "reference": "x"}', "'id' must be a string, got 2"),
        ('{"id": "b", "prediction": null, "reference": "x"}', "'prediction' must be a string"),
        ('{"id": "b", "reference": "x"}', "'prediction' must be a string, got nothing"),
        ('{"id": "b", "prediction": "x", "reference": [1]}', "'reference' must be"),
        ('{"id": "b", "prediction": "x", "refrence": "x"}', "'reference' must be"),
        (GOOD, "the id 'a' is there already"),
        ('{"id": "b", "id": "c", "prediction": "x", "reference": "x"}', "key 'id' stands twice"),
        (f'{START}, "reference": "x", "metadata": {{"k": 1, "k": 2}}}}', "key 'k' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        (f'{START}, "reference": "x", "input": 3}}', "'input' must be"),
        (f'{START}, "reference": "x", "input": null}}', "'input' must be"),
        (
            f'{START}, "reference": "x", "input": [{{"role": "robot", "content": "x"}}]}}',
            '{"role": system or user or assistant',
        ),
        (f'{START}, "reference": "x", "metadata": [1]}}', "'metadata' must be an object"),
        (f'{START}, "reference": null}}', "'reference' must be a string or a list of strings"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, bad: str, message: str) -> None:
    out = tmp_path / "scores.jsonl"
    out.write_text("kept")
    done = score(write(tmp_path, GOOD, "", bad), "--scorer", "f1", "--out", out)
    assert done.returncode == 2
    assert "predictions.jsonl, line 3" in done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert out.read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--scorer"),
        (["--scorer", ","], "--scorer needs a name"),
        (["--scorer", "rogue"], "Did you mean 'rouge'"),
        (["--scorer", "format"], "exactly one of regex"),
        (["--scorer", "format"], "Here it is told by --regex, --label, --schema, --option format."),
        (["--scorer", "json_schema"], "Here it is told by --schema, --option json_schema.schema=…"),
        (["--scorer", "custom"], "name one of your files: 'checks.py:brevity'"),
        (["--scorer", "perplexity"], "perplexity is measured by `harness run`: it needs the model"),
        (["--scorer", "f1", "--regex", "a"], "--regex goes with --scorer format."),
        (["--scorer", "f1", "--label", "a "], "--label goes with --scorer format or choice."),
        (["--scorer", "f1", "--encoder", "./e"], "--encoder goes with --scorer bertscore or"),
        (["--scorer", "format", "--regex", "("], "at position 1. Here it is told by --regex,"),
        (["--scorer", "format", "--regex", "(" * 5000 + ")" * 5000], "fewer brackets"),
        (
            ["--scorer", "format", "--regex", "a.*", "--option", "format.regex=b"],
            "--regex and --option format.regex are both given",
        ),
        (
            ["--scorer", "choice", "--label", "A", "--option", 'choice.labels=["x", "y"]'],
            "--label and --option choice.labels are both given",
        ),
        (["--scorer", "format", "--regex", "a", "--label", "b"], "exactly one of"),
        (["--scorer", "f1", "--out", "no/such/folder/file"], "cannot be written"),
        (["--scorer", "no/such/checks.py:brevity"], "There is no file 'no/such/checks.py'"),
    ],
)
def test_wrong_use_is_explained(file: Path, arguments: list[str], message: str) -> None:
    done = score(file, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("f1", "f1", "must be NAME.KEY=VALUE, got 'f1'"),
        ("f1", "ignore_case=true", "must be NAME.KEY=VALUE"),
        (
            "exact_match",
            "exact_mach.ignore_case=true",
            "no such scorer. Did you mean 'exact_match'",
        ),
        ("rouge_stem", "rouge_stem.stemmer=true", "no such scorer. Did you mean 'rouge'"),
        ("exact_match", "custom.name=x", "no such scorer."),
        ("f1", "f1.ignore_case=true", "no such option. f1 has none."),
        ("exact_match", "exact_match.ignorecase=true", "Did you mean 'ignore_case'"),
        ("exact_match", "exact_match.ignore_case=yes", "must be true or false, got 'yes'"),
        ("exact_match", "exact_match.ignore_case=1", "must be true or false, got '1'"),
        ("entities", "entities.types=PERSON", "a list (JSON), of which each is a string, got"),
        ("entities", 'entities.types=["A", "a"]', "two of the types"),
        ("bertscore", "bertscore.num_layers=2.5", "must be a whole number or null, got '2.5'"),
        ("format", "format.regex=(", "the regex '(' is invalid"),
        ("json_schema", "json_schema.schema={", "must be an object or true or false or null"),
        ("json_schema", 'json_schema.schema={"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("json_schema", "json_schema.schema=" + "[" * 5000, "nested too deeply"),
        ("f1", "rouge.stemmer=true", "goes with --scorer rouge (with these options its metrics"),
        ("rouge_l", "rouge.stemmer=true", "its metrics are rouge1_stem, rouge2_stem"),
    ],
)
def test_a_wrong_option_is_explained(file: Path, name: str, option: str, message: str) -> None:
    done = score(file, "--scorer", name, "--option", option)
    assert done.returncode == 2
    assert message in done.stderr


def test_an_option_is_given_once(file: Path) -> None:
    twice = ["--option", "rouge.stemmer=true", "--option", "rouge.stemmer=false"]
    done = score(file, "--scorer", "rouge", *twice)
    assert done.returncode == 2
    assert "--option rouge.stemmer is given twice" in done.stderr


def test_options_of_any_scorer(tmp_path: Path) -> None:
    row = {"id": "a", "prediction": '{"n": "CATS"}', "reference": '{"n": "cats", "m": 1}'}
    file = write(tmp_path, json.dumps(row))
    options = [
        "exact_match.ignore_case=true",
        "rouge.stemmer=true",
        'json_fields.fields=["n"]',
        "json_fields.ignore_case=true",
        "format.regex=.*CATS.*",
        'json_schema.schema={"required": ["n"]}',
    ]
    names = ["exact_match", "rouge1_stem", "json_fields_p", "json_field_n", "format", "json_schema"]
    given = [text for option in options for text in ("--option", option)]
    done = score(file, *given, "--scorer", ",".join(names))
    assert done.returncode == 0, done.stderr
    # Words n, cat of the output; n, cat, m, 1 of the reference.
    values = {"exact_match": 0.0, "rouge1_stem": pytest.approx(2 / 3), "json_fields_p": 1.0}
    others = {"json_field_n": 1.0, "format": 1.0, "json_schema": 1.0}
    assert lines(done.stdout)["a"] == {**values, **others}


def test_a_flag_is_for_every_scorer_that_takes_it(tmp_path: Path) -> None:
    file = write(tmp_path, '{"id": "a", "prediction": "[1]"}')
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "array"}')
    done = score(file, "--scorer", "format,json_schema", "--schema", schema)
    assert lines(done.stdout) == {"a": {"format": 1.0, "json_schema": 1.0}}
    other = ["--option", 'json_schema.schema={"type": "object"}']
    done = score(file, "--scorer", "format,json_schema", "--schema", schema, *other)
    assert done.returncode == 2
    assert "--schema and --option json_schema.schema are both given. Keep one" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"$schema": 3}', "invalid at $schema: an unknown draft, 3. Write the address of one"),
        ('{"$schema": ["a"]}', "invalid at $schema: an unknown draft"),
        ("[" * 5000, "schema.json is no strict JSON: it is nested too deeply"),
        ('{"not":' * 800 + "{}" + "}" * 800, "nested too deeply"),
        (
            '{"type": "objekt"}',
            "at type: 'objekt' is not valid under any of the given schemas. Here",
        ),
        ('{"minimum": NaN}', "schema.json is no strict JSON: NaN is not JSON"),
        ('{"minimum": 1e400}', "invalid at minimum: inf is no JSON number"),
        ('{"minimum": 3, "minimum": 1}', "schema.json is no strict JSON: the key 'minimum' stands"),
        ('{"$id": "http://[::1", "$ref": "x"}', "invalid at $id 'http://[::1': Invalid IPv6 URL"),
    ],
)
def test_a_schema_that_cannot_be_right_is_explained(
    tmp_path: Path, text: str, message: str
) -> None:
    file = write(tmp_path, '{"id": "a", "prediction": "1"}')
    schema = tmp_path / "schema.json"
    schema.write_text(text)
    done = score(file, "--scorer", "json_schema", "--schema", schema)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_the_mean_of_values_whose_sum_overflows(tmp_path: Path) -> None:
    checks = tmp_path / "checks.py"
    checks.write_text(
        "from harness.scorers import scorer\n"
        "@scorer(definition='A large number.', low=None, high=None)\n"
        "def large(predictions, samples):\n"
        "    return [1e308 for _ in predictions]\n"
    )
    rows = [{"id": str(i), "prediction": "x", "reference": "x"} for i in range(4)]
    file = write(tmp_path, *map(json.dumps, rows))
    done = score(file, "--scorer", f"{checks}:large", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["large"]["mean"] == 1e308


def test_scorers_see_input_and_metadata(tmp_path: Path) -> None:
    checks = tmp_path / "checks.py"
    checks.write_text(
        "def seen(predictions, samples):\n"
        "    '''1 where the question and the metadata are there.'''\n"
        "    return [s.text == 'why?' and s.metadata == {'k': [1]} for s in samples]\n"
    )
    row = {"id": "a", "prediction": "I'm sorry, but I can't help with that.", "reference": "x"}
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "why?"}]
    file = write(
        tmp_path,
        json.dumps({**row, "input": "why?", "metadata": {"k": [1]}}),
        json.dumps({**row, "id": "b", "input": turns, "metadata": {"k": [1]}}),
        json.dumps({**row, "id": "c", "metadata": {"refusal": "expected"}}),
    )
    done = score(file, "--scorer", f"refusal,{checks}:seen")
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout) == {
        "a": {"refusal": 1.0, "seen": 1.0},
        "b": {"refusal": 1.0, "seen": 1.0},
        "c": {"refusal": 0.0, "seen": 0.0},
    }


def test_a_scorer_of_ones_own_that_fails_is_named_and_prints_no_row(
    file: Path, tmp_path: Path
) -> None:
    checks = tmp_path / "checks.py"
    checks.write_text(
        "print('loading')\n"
        "def brevity(predictions, samples):\n"
        "    '''1 where it is short.'''\n"
        "    print('scoring')\n"
        "    return [1 / len(p) for p in predictions]\n"
    )
    done = score(file, "--scorer", f"{checks}:brevity", "--scorer", "f1")
    assert done.returncode == 0, done.stderr
    assert [row["brevity"] for row in lines(done.stdout).values()] == [None] * 4
    assert [row["f1"] for row in lines(done.stdout).values()] == [1.0, 1.0, 0.0, None]
    assert "3 x brevity raised ZeroDivisionError (line 5 of its file)" in done.stderr
    checks.write_text("import nothing_of_this_name\n")
    done = score(file, "--scorer", f"{checks}:brevity")
    assert done.returncode == 2
    assert 'checks.py", line 1' in done.stderr


def test_the_summary_of_many_metrics_is_in_columns(tmp_path: Path) -> None:
    ada = '[{"text": "Ada", "type": "A_LONG_TYPE"}]'
    rows = [{"id": str(i), "prediction": "[]", "reference": ada} for i in range(12)]
    rows += [{"id": "odd", "prediction": "[]", "reference": '[{"text": "x", "type": "\ud800"}]'}]
    file = write(tmp_path, *map(json.dumps, rows))
    options = ["--option", 'entities.types=["A_LONG_TYPE", "B"]']
    done = score(file, "--scorer", "entities,exact_match", *options, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    *table, said = done.stdout.splitlines()
    assert table == [
        "entity_f1:             mean 0.0000, 12 scored, 1 unscored",
        "entity_f1_A_LONG_TYPE: mean 0.0000, 12 scored, 1 unscored",
        "entity_f1_B:           mean 1.0000, 12 scored, 1 unscored",
        "exact_match:           mean 0.0000, 13 scored, 0 unscored",
    ]
    assert said.startswith("  1 x a target has the type '\\ud800'")
    assert said.endswith("(entity_f1, entity_f1_A_LONG_TYPE, entity_f1_B)")
    as_json = score(file, "--scorer", "entities", *options, "--json")
    reasons = json.loads(as_json.stdout)["metrics"]["entity_f1"]["reasons"]
    assert list(reasons.values()) == [1]
    assert "\ud800" in next(iter(reasons))


def test_predictions_are_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    done = score(file, "--scorer", "f1", "--out", file)
    assert done.returncode == 2
    assert file.read_bytes() == before


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    done = score(write(tmp_path), "--scorer", "f1")
    assert done.returncode == 2
    assert "no rows" in done.stderr
