"""``json_schema``, ``format`` with a schema, and ``json_fields`` by value."""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jsonschema
import jsonschema_specifications
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.scorers import Format, JsonFields, JsonSchema
from harness.types import Sample, Score, Scorer

ORDER = {
    "title": "order",
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        "a/b": {"type": "integer"},
    },
    "patternProperties": {"^x-": {"type": "string"}},
    "additionalProperties": False,
}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
ENDLESS = "(a|a|aa)+$"
HANGS = "a" * 60 + "!"


def one(scorer: Scorer, prediction: str, *targets: str) -> Mapping[str, Score]:
    (row,) = scorer.score([prediction], [Sample("1", "", targets)])
    return row


def schema(prediction: str, about: Any = ORDER) -> Score:
    score = one(JsonSchema(about), prediction)["json_schema"]
    assert one(Format(schema=about), prediction)["format"] == score
    return score


# ---- json_schema


@pytest.mark.parametrize(
    ("output", "remark"),
    [
        (' {"items": [], "x-y": "z"}\n', None),
        ("secret", "not JSON"),
        ('```json\n{"items": []}\n```', "not JSON"),
        ('{"items": [NaN]}', "NaN is not JSON"),
        ('{"items": 1, "items": []}', "a key occurs twice in an object"),
        ("[" * 101 + "]" * 101, "nested more than 100 levels deep"),
        ("1" * 5000, "a whole number of more than 4,300 digits"),
        ("{}", "required at the top"),
        ('{"items": "secret"}', "type at /items"),
        ('{"items": [{"sku": 1}, {"secret": 1}]}', "required at /items/*"),
        ('{"items": [], "a/b": 1.5}', "type at /a~1b"),
        ('{"items": [], "x-secret": 1}', "type at /*"),
        ('{"items": [], "secret": 1}', "additionalProperties at the top"),
    ],
)
def test_a_remark_says_why_and_nothing_of_the_output(output: str, remark: str | None) -> None:
    assert schema(output) == Score(1.0 if remark is None else 0.0, remark)


def test_brackets_in_text_are_no_levels() -> None:
    assert schema(json.dumps(['["' * 200, "\\"]), {}).value == 1.0
    assert schema("[" * 100 + "]" * 100, {}).value == 1.0


def test_the_path_of_a_schema_that_refers_to_itself_is_cut() -> None:
    tree = {"properties": {"next": {"$ref": "#"}}, "type": "object"}
    deep = json.dumps({"next": {"next": {"next": {"next": {"next": {"next": {"next": 1}}}}}}})
    assert schema(deep, tree) == Score(0.0, "type at /next/next/next/next/next/…")


def test_what_cannot_be_checked_is_unscored_with_a_reason() -> None:
    cases = [
        ({"$ref": "https://example.org/no.json"}, "1", "example.org/no.json"),
        (
            {"unevaluatedItems": False, "contains": {"const": 1}},
            json.dumps([1] * 50_000),
            "too large for unevaluated",
        ),
        ({"$ref": "#"}, "1", "nested too deeply"),
        # Its draft does not say that such a key is a pattern.
        ({"$schema": DRAFT_4, "patternProperties": {"(": {}}}, '{"a": 1}', "pattern of the"),
    ]
    for about, output, reason in cases:
        score = schema(output, about)
        assert score.value is None
        assert reason in str(score.reason)


@pytest.mark.parametrize(
    ("about", "output"),
    [
        ({"pattern": ENDLESS}, json.dumps(HANGS)),
        ({"items": {"pattern": ENDLESS}}, json.dumps([f"{HANGS}{i}" for i in range(50)])),
        ({"patternProperties": {ENDLESS: {}}}, json.dumps({HANGS: 1})),
        # A key that `properties` does not name is held against the patterns again.
        ({"additionalProperties": False, "patternProperties": {ENDLESS: {}}}, f'{{"{HANGS}": 1}}'),
        ({"propertyNames": {"pattern": ENDLESS}}, json.dumps({HANGS: 1})),
        # Parts that name a draft are given a validator of their own by jsonschema.
        (
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$defs": {
                    "old": {
                        "$id": "urn:old",
                        "$schema": "http://json-schema.org/draft-07/schema#",
                        "pattern": ENDLESS,
                    }
                },
                "items": {"$ref": "urn:old"},
            },
            json.dumps([HANGS]),
        ),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"in": {"$ref": "#"}},
                "pattern": ENDLESS,
            },
            json.dumps({"in": HANGS}),
        ),
    ],
)
def test_patterns_of_a_schema_are_bounded_in_time(about: Mapping[str, Any], output: str) -> None:
    score = one(JsonSchema(about), output)["json_schema"]
    assert score == Score.unscored("the check against the schema took longer than 1 s")


def test_branches_that_double_with_every_level_are_bounded_in_time() -> None:
    inner = {"properties": {"l": {"$ref": "#"}}}
    branches = [{**inner, "required": ["x"]}, {**inner, "required": ["y"]}, {"type": "null"}]
    started = time.monotonic()
    score = one(JsonSchema({"anyOf": branches}), '{"l":' * 25 + "1" + "}" * 25)["json_schema"]
    assert score == Score.unscored("the check against the schema took longer than 1 s")
    assert time.monotonic() - started < 60


# ---- json_schema: numbers and equality


@pytest.mark.parametrize(
    ("about", "output", "valid"),
    [
        ({"multipleOf": 0.01}, "19.99", True),
        ({"multipleOf": 0.01}, "4.35", True),
        ({"multipleOf": 0.01}, "-0.015", False),
        ({"multipleOf": 0.1}, "0.3", True),
        ({"multipleOf": 0.1}, "0.30000000000000004", False),
        ({"multipleOf": 7}, "-21.0", True),
        ({"multipleOf": 7}, "0.0", True),
        ({"multipleOf": 3}, "0.3", False),
        ({"multipleOf": 3}, "1" * 90_000 + ".0", True),
        ({"multipleOf": 3}, "1" * 90_001 + ".0", False),
        ({"multipleOf": 0.1}, "1e999999999", True),
        ({"multipleOf": 3}, "1e999999999", False),
        ({"multipleOf": 0.1}, "1e-999999999", False),
        ({"multipleOf": 1e-300}, "1e300", True),
        ({"$schema": "http://json-schema.org/draft-03/schema#", "divisibleBy": 0.1}, "0.3", True),
        ({"maximum": 9007199254740992}, "9007199254740993.0", False),
        ({"maximum": 0.1}, "0.1", True),
        ({"exclusiveMaximum": 0.1}, "0.1", False),
        ({"exclusiveMinimum": 0.1}, "0.10000000000000000001", True),
        ({"$schema": DRAFT_4, "minimum": 0.1, "exclusiveMinimum": True}, "0.1", False),
        ({"maximum": 5}, "1e999999999", False),
        ({"const": 0.1}, "0.1", True),
        ({"const": 0.1}, "0.1000000000000000055", False),
        ({"const": 5}, "1e999999999", False),
        ({"type": "integer"}, "1e400", True),
        ({"type": "integer"}, "1e-999999999", False),
        ({"$schema": DRAFT_4, "type": "integer"}, "1.0", False),
        ({"uniqueItems": True}, "[1, 1.0]", False),
        ({"uniqueItems": True}, '[1, true, [1], [true], "1", null, 0, false, {}, []]', True),
        ({"uniqueItems": True}, '[{"a": 1, "b": [2]}, {"b": [2e0], "a": 1}]', False),
        ({"uniqueItems": True}, "[1e999999999, 1e-999999999, 1e999999999]", False),
        # Every two of them cannot be compared within a second.
        ({"uniqueItems": True}, json.dumps([{"a": i} for i in range(20_000)]), True),
    ],
)
def test_numbers_are_compared_as_written(about: Any, output: str, valid: bool) -> None:
    assert schema(output, about).value == float(valid)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6),
    st.sampled_from([0.01, 0.1, 2.5, 3, 1e-5, 700, 1e20]),
)
def test_multiples_are_those_of_fractions(value: Decimal, step: float) -> None:
    expected = (Fraction(value) / Fraction(repr(step))).denominator == 1
    # str writes some without a digit before the exponent; JSON has the same form.
    assert schema(str(value).lower(), {"multipleOf": step}).value == float(expected)


def test_a_pattern_that_keeps_hanging_is_given_up() -> None:
    outputs = [HANGS] * 5 + [f"{HANGS}{i}" for i in range(2000)] + ["a"]
    samples = [Sample(str(i), "") for i in range(len(outputs))]
    rows = Format(regex=ENDLESS).score(outputs, samples)
    reasons = [str(row["format"].reason) for row in rows]
    assert all(row["format"].value is None for row in rows)
    # Equal outputs are looked at once: ten different ones hang, then it is enough.
    assert reasons.count("the regex took longer than 1 s") == 5 + 9
    assert reasons[-1] == "not tried: the regex took longer than 1 s on 10 outputs before"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ax-", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ax-", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
SCHEMAS = [
    ORDER,
    {"additionalProperties": {"type": "integer"}, "properties": {"a": True}},
    {"patternProperties": {"^a": False, "x$": {"type": "string"}}},
    {"additionalProperties": False, "patternProperties": {"a": {"pattern": "^x"}, "-": True}},
    {"anyOf": [{"pattern": "x-?$"}, {"items": {"pattern": "^a"}, "minItems": 1}]},
    {"propertyNames": {"pattern": "^[ax]+$"}, "uniqueItems": True},
    {"unevaluatedProperties": False, "properties": {"a": {}}, "if": {"type": "object"}},
    False,
]


@given(JSON)
def test_values_are_those_of_jsonschema(value: Any) -> None:
    text = json.dumps(value)
    for about in SCHEMAS:
        for draft in ("draft-07", "draft/2019-09", "draft/2020-12"):
            base = "https://json-schema.org" if "/" in draft else "http://json-schema.org"
            named = {**about, "$schema": f"{base}/{draft}/schema"} if about else about
            kind = jsonschema.validators.validator_for(named, jsonschema.Draft202012Validator)
            assert schema(text, named).value == float(kind(named).is_valid(value))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, r"needs schema=\{…\}"),
        ({"properties": {"n": {"type": "numbr"}}}, "invalid at properties/n/type"),
        ({"items": {"pattern": "("}}, "invalid at items/pattern"),
        ({"patternProperties": {"(": {}}}, "invalid at patternProperties"),
        ({"$schema": "https://example.org/draft"}, "unknown draft"),
        ({"$schema": 3}, r"\$schema: an unknown draft, 3. Write the address"),
        ({"$schema": ["a"]}, "unknown draft"),
        ({"properties": {"a": {"minimum": float("nan")}}}, "at properties/a/minimum: nan is no"),
        ({"enum": [float("inf")]}, "at enum/0: inf is no JSON number"),
        ({"maximum": 10**4300}, "at maximum: a whole number of more than 4,300 digits"),
        ({"$id": "http://[::1", "$ref": "x"}, r"\$id 'http://\[::1': Invalid IPv6 URL"),
        ({"$id": "http://a", "$ref": "//[::1"}, r"\$ref '//\[::1': Invalid IPv6 URL"),
        ({"$ref": "#/allOf/x", "allOf": [{}]}, r"\$ref '#/allOf/x'"),
        # Only a reference leads there.
        ({"$ref": "#/mine", "mine": {"type": "numbr"}}, "invalid at #/mine/type"),
        ({"$ref": "#/mine", "mine": {"patternProperties": {"(": {}}}}, "invalid at #/mine/patt"),
        ({"pattern": "(" * 5000 + ")" * 5000}, "nested too deeply"),
        (functools.reduce(lambda inner, _: {"not": inner}, range(5000), {}), "nested too deeply"),
        ({"const": object()}, "is not JSON"),
        ({"unevaluatedProperties": False, "patternProperties": {"a": {}}}, "additionalProperties"),
        ("{}", "must be an object"),
    ],
)
def test_a_schema_that_cannot_be_right_is_refused_at_once(about: Any, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        JsonSchema(about)


def test_properties_may_have_the_names_of_keywords() -> None:
    named = {"properties": {"unevaluatedProperties": {}, "patternProperties": {"type": "object"}}}
    assert schema('{"patternProperties": {}}', named).value == 1.0
    assert schema('{"patternProperties": 1}', named).value == 0.0
    hidden = {"$ref": "#/mine", "mine": {"patternProperties": {"a": {}}}}
    with pytest.raises(SuiteError, match="Use additionalProperties"):
        JsonSchema({**hidden, "unevaluatedProperties": False})


def test_the_definition_names_the_schema_and_the_packages() -> None:
    (metric,) = JsonSchema(ORDER).metrics
    assert "'order', SHA-256" in metric.definition
    assert "jsonschema==" in metric.version
    assert "regex==" in metric.version
    (other,) = JsonSchema({**ORDER, "required": []}).metrics
    assert metric.definition != other.definition


# ---- json_fields


def fields(prediction: str, *targets: str, **options: Any) -> dict[str, float | None]:
    return {m: s.value for m, s in one(JsonFields(**options), prediction, *targets).items()}


def test_precision_recall_and_each_field() -> None:
    target = '{"name": "Ada", "address": {"city": "Paris", "zip": "75001"}, "tags": [1, 2]}'
    output = '{"name": "Ada ", "address": {"city": "Rome", "zip": "75001"}, "age": 3, "tags": [2]}'
    found = fields(output, target, fields=["name", "address", "address/city", "tags", "age"])
    # Two of five in the output are right, of four in the target.
    assert found == {
        "json_fields": pytest.approx(4 / 9),
        "json_fields_p": 0.4,
        "json_fields_r": 0.5,
        "json_field_name": 1.0,
        "json_field_address": 0.5,
        "json_field_address/city": 0.0,
        "json_field_tags": 0.0,
        "json_field_age": 0.0,
    }


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("1", "1.0", True),
        ("100", "1e2", True),
        ("-0.0", "0", True),
        ("0.1", "0.10000000000000001", False),
        ("9007199254740993", "9007199254740992.0", False),
        ("1e400", "1e401", False),
        ("1" * 5000, "1" * 5000 + ".0", True),
        ("1", "true", False),
        ("0", "false", False),
        ("1", '"1"', False),
        ("null", '""', False),
        ("null", '"None"', False),
        ('" a\\n"', '"a"', True),
        ('"a"', '"A"', False),
        ("[1, 2]", "[2, 1]", False),
        ('[{"a": " x", "b": 1}]', '[{"b": 1.0, "a": "x"}]', True),
        ("[true]", "[1]", False),
        ("{}", "null", False),
        ("{}", "[]", False),
        ("{}", "{}", True),
    ],
)
def test_equality_of_values(left: str, right: str, equal: bool) -> None:
    for one_side, other in ((left, right), (right, left)):
        found = fields(f'{{"v": {one_side}}}', f'{{"v": {other}}}', fields=["v"])
        assert set(found.values()) == {float(equal)}


def test_case_is_ignored_where_told_in_values_alone() -> None:
    assert fields('{"v": "PARIS"}', '{"v": "Paris"}', ignore_case=True)["json_fields"] == 1.0
    assert fields('{"V": "Paris"}', '{"v": "Paris"}', ignore_case=True)["json_fields"] == 0.0


def test_a_key_with_a_slash_is_no_path() -> None:
    slash, nested = '{"a/b": 1}', '{"a": {"b": 1}}'
    assert fields(slash, nested)["json_fields"] == 0.0
    assert fields(slash, slash, fields=["a~1b"])["json_field_a~1b"] == 1.0
    assert fields(nested, nested, fields=["a~1b", "a/b"]) == {
        **dict.fromkeys(["json_fields", "json_fields_p", "json_fields_r"], 1.0),
        "json_field_a~1b": 1.0,
        "json_field_a/b": 1.0,
    }
    row = one(JsonFields(fields=["a~1b"]), nested, nested)
    assert row["json_field_a~1b"].reason == "neither side has the field"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("", "not JSON"),
        ("[]", "another JSON value"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 1}', "a key occurs twice in an object"),
        ('{"a":' * 100_000, "nested more than 100 levels deep"),
        ('{"a": 1e9999999999999999999}', "a number with an exponent out of any range"),
    ],
)
def test_what_is_no_object(output: str, why: str) -> None:
    scorer = JsonFields(fields=["a"])
    for score in one(scorer, output, "{}").values():
        assert score == Score(0.0, f"no JSON object: {why}")
    for score in one(scorer, "{}", output, "{}").values():
        assert score == Score.unscored(f"a target is no JSON object: {why}")


def test_sides_without_fields() -> None:
    assert set(fields("{}", "{}").values()) == {1.0}
    assert set(fields("{}", '{"a": 1}').values()) == {0.0}
    assert set(fields('{"a": 1}', "{}").values()) == {0.0}


def test_each_metric_takes_its_best_target() -> None:
    found = fields('{"a": 1, "b": 2}', '{"a": 1}', '{"a": 1, "b": 2, "c": 3, "d": 4}')
    assert found["json_fields_p"] == 1.0
    assert found["json_fields_r"] == 1.0
    assert found["json_fields"] == pytest.approx(2 / 3)


KEYS = st.text("a/~ ", min_size=1, max_size=3)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, st.integers(0, 9) | st.text(max_size=3), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_a_known_number_of_wrong_values(target: dict[str, Any], draw: random.Random) -> None:
    wrong = right = 0

    def spoilt(value: Any) -> Any:
        nonlocal wrong, right
        if isinstance(value, dict):
            keys = draw.sample(sorted(value), len(value))
            return {key: spoilt(value[key]) for key in keys}
        if draw.random() < 0.5:
            wrong += 1
            return [value]
        right += 1
        return float(value) if isinstance(value, int) else f" {value}\n"

    output = json.dumps(spoilt(target), indent=draw.choice([None, 2]))
    found = fields(output, json.dumps(target))
    assert found["json_fields"] == pytest.approx(right / (right + wrong))
    assert found["json_fields_p"] == found["json_fields_r"] == found["json_fields"]


def test_fields_are_those_that_pandas_flattens() -> None:
    """On every pair of twenty real documents: the meta-schemas of JSON Schema, by part."""
    registry = jsonschema_specifications.REGISTRY
    texts = [json.dumps(registry[name].contents) for name in sorted(registry)]

    def flat(text: str) -> dict[str, str]:
        # pandas drops an empty object where a value could be.
        table = pandas.json_normalize(json.loads(text.replace("{}", '"{}"')), sep="/")
        (row,) = table.to_dict("records")
        return {path: json.dumps(value, sort_keys=True) for path, value in row.items()}

    samples = [Sample(str(i), "", (text,)) for i, text in enumerate(texts)]
    seen = set()
    for text in texts:
        rows = JsonFields().score([text] * len(texts), samples)
        for row, other in zip(rows, texts, strict=True):
            left, right = flat(text), flat(other)
            equal = len(left.items() & right.items())
            assert row["json_fields_p"].value == pytest.approx(equal / len(left))
            assert row["json_fields_r"].value == pytest.approx(equal / len(right))
            seen.add(row["json_fields"].value)
    assert len(seen) > 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": "a"}, "list of strings"),
        ({"fields": 3}, "list of strings"),
        ({"fields": {"a": 1}}, "list of strings"),
        ({"fields": ["/a"]}, "without a '/' before it"),
        ({"fields": ["a~b"]}, "'~0' for a '~'"),
        ({"fields": [""]}, "no path"),
        ({"fields": ["a", "a"]}, "the same"),
    ],
)
def test_fields_that_cannot_be_right(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        JsonFields(**options)
