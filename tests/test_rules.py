"""Rules files: what is read, what comes back, and what is refused with which remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RulesError
from harness.rules import load_rules, parse_rules, rules_to_dict
from harness.types import Rule, RuleSet

EXAMPLE = """
candidate = "adapter"
alpha = 0.05
[[rule]]
metric = "exact_match"
role = "superior"          # superior | non_inferior | guardrail
versus = "best"            # a variant's name, or best
margin = 0.02
[[rule]]
metric = "rouge_l"
role = "non_inferior"
versus = "zero_shot"
margin = 0.01
"""
SUPERIOR = {"metric": "m", "role": "superior", "versus": "b", "margin": 0.1}
GUARDRAIL = {"metric": "m", "role": "guardrail", "max": 2}


def test_the_documented_example(tmp_path):
    (tmp_path / "rules.toml").write_text(EXAMPLE)
    assert load_rules(tmp_path / "rules.toml") == RuleSet(
        "adapter",
        (
            Rule("exact_match", "superior", "best", 0.02),
            Rule("rouge_l", "non_inferior", "zero_shot", 0.01),
        ),
    )


numbers = st.floats(0.001, 1).map(lambda x: round(x, 4))
options = st.fixed_dictionaries(
    {},
    optional={
        "task": st.just("t"),
        "slice": st.just("topic"),
        "alpha": st.floats(0.001, 0.49),
        "advisory": st.booleans(),
        "max_unscored": st.floats(0, 0.99),
        "min_samples": st.integers(2, 1000),
        "cluster": st.booleans(),
        "bounds": st.just((-1.0, 5.0)),
    },
)
compared = st.builds(
    lambda role, margin, more: Rule("m", role, "b", margin, direction="lower", **more),
    st.sampled_from(["superior", "non_inferior"]),
    numbers,
    options,
)
guarded = st.builds(
    lambda end, limit, more: Rule("m", "guardrail", **{end: limit}, **more),
    st.sampled_from(["max", "min"]),
    numbers,
    options,
)


@given(st.lists(compared | guarded, max_size=4).map(tuple), st.floats(0.001, 0.49))
def test_rules_survive_the_round_trip(made, alpha):
    rules = RuleSet("candidate", made, alpha)
    assert parse_rules(rules_to_dict(rules), where="round trip") == rules


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margn": 0.1}, "unknown key 'margn'. Did you mean 'margin'"),
        ({"metric": None}, "'metric' is missing"),
        ({"role": "superor"}, "Did you mean 'superior'"),
        ({"role": ["superior"]}, "'role' must be one of"),
        ({"versus": None}, "'versus' is missing"),
        ({"versus": "a"}, "the candidate itself"),
        ({"margin": None}, "'margin' is missing"),
        ({"margin": -0.1}, "at least 0"),
        ({"margin": "0.1"}, "finite number"),
        ({"margin": True}, "finite number"),
        ({"margin": float("nan")}, "finite number"),
        ({"margin": float("inf")}, "finite number"),
        ({"role": "non_inferior", "margin": 0}, "above 0"),
        ({"max": 1}, "belongs to the role guardrail"),
        ({"direction": "up"}, "'higher' or 'lower'"),
        ({"alpha": 0.5}, "between 0 and 0.5"),
        ({"alpha": 0}, "between 0 and 0.5"),
        ({"max_unscored": 1}, "a share"),
        ({"min_samples": 1}, "whole number from 2"),
        ({"min_samples": 30.0}, "whole number from 2"),
        ({"cluster": "no"}, "true or false"),
        ({"bounds": [1, 0]}, "must rise"),
        ({"bounds": 1}, r"must be \[least, greatest\]"),
        ({"slice": ""}, "non-empty string"),
    ],
)
def test_a_wrong_rule_is_refused(change, message):
    rule = {k: v for k, v in {**SUPERIOR, **change}.items() if v is not None}
    with pytest.raises(RulesError, match=message) as caught:
        parse_rules({"candidate": "a", "rule": [SUPERIOR, rule]}, where="rules.toml")
    assert str(caught.value).startswith("rules.toml: rule 2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max": None}, "either 'max' or 'min'"),
        ({"min": 1}, "either 'max' or 'min'"),
        ({"versus": "b"}, "'versus' has no meaning"),
        ({"margin": 0.1}, "'margin' has no meaning"),
        ({"direction": "lower"}, "'direction' has no meaning"),
    ],
)
def test_a_wrong_guardrail_is_refused(change, message):
    rule = {k: v for k, v in {**GUARDRAIL, **change}.items() if v is not None}
    with pytest.raises(RulesError, match=message):
        parse_rules({"candidate": "a", "rule": [rule]}, where="rules.toml")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"rule": [SUPERIOR]}, "'candidate' must name"),
        ({"candidate": "a", "rules": [SUPERIOR]}, "Did you mean 'rule'"),
        ({"candidate": "a", "rule": SUPERIOR}, r"\[\[rule\]\]"),
        ({"candidate": "a", "alpha": 1}, "between 0 and 0.5"),
        ([], "must be a table"),
    ],
)
def test_a_wrong_rule_set_is_refused(mapping, message):
    with pytest.raises(RulesError, match=message):
        parse_rules(mapping, where="rules.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"candidate = ", "is not TOML"),
        (b"candidate = '\xff'", "is not UTF-8"),
        (None, "no rules file"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, content, message):
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError, match=message) as caught:
        load_rules(path)
    assert str(path) in str(caught.value)
