"""``assert_ships``, the fixtures, and ``@evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run, non_inferior, rules, superior

from harness.pytest_plugin import NotShipped, assert_ships, evaluate
from harness.pytest_plugin.evaluate import outcome
from harness.types import Sample, Status

pytest_plugins = ["pytester"]

BETTER = {"a": [0.5 + 0.01 * (i % 7) for i in range(60)], "b": [0.01 * (i % 5) for i in range(60)]}


def test_a_run_that_ships_gives_its_verdict() -> None:
    verdict = assert_ships(made_run(BETTER), rules("a", superior("b", 0.1)))
    assert verdict.status is Status.SHIP


def test_a_run_that_does_not_is_an_assertion_with_the_numbers() -> None:
    with pytest.raises(NotShipped) as caught:
        assert_ships(made_run(BETTER), rules("b", non_inferior("a", 0.1)))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.verdict.status is Status.HOLD
    text = str(caught.value)
    assert text.startswith("HOLD: b may not ship")
    assert "-0.50" in text
    assert "60" in text


def test_only_what_is_open_can_be_allowed() -> None:
    even = {"a": [float(i % 2) for i in range(60)], "b": [float(i % 3 == 0) for i in range(60)]}
    held = rules("a", superior("b", 0.1))
    with pytest.raises(NotShipped):
        assert_ships(made_run(even), held)
    assert assert_ships(made_run(even), held, allow=["INCONCLUSIVE"]).status == "INCONCLUSIVE"
    with pytest.raises(ValueError, match="cannot be allowed"):
        assert_ships(made_run(even), held, allow=["INVALID"])


def test_no_rule_does_not_ship() -> None:
    with pytest.raises(NotShipped, match="no rules"):
        assert_ships(made_run(BETTER))


def _asserts(sample: Sample, output: str) -> Any:
    if output == "skip":
        pytest.skip("not today")
    if output == "half":
        return 0.5
    if output == "many":
        return 7
    if output == "raise":
        raise KeyError("gone")
    assert output == sample.targets[0]
    return None


@pytest.mark.parametrize(
    ("output", "value", "reason"),
    [
        ("yes", 1.0, None),
        ("no", 0.0, "assert"),
        ("half", 0.5, None),
        ("skip", None, "skipped: not today"),
        ("raise", None, "raised KeyError"),
        ("many", None, "returned 7"),
        (None, None, "NoneType"),
    ],
)
def test_outcomes_become_scores(output: Any, value: float | None, reason: str | None) -> None:
    score = outcome(_asserts, Sample("s", "q", ("yes",)), output)
    assert score.value == value
    assert (reason or "") in (score.reason or "")


def test_a_decorated_function_can_still_be_called() -> None:
    decorated = evaluate([Sample("s", "q", ("yes",))], {"v": {"s": "yes"}})(_asserts)
    assert decorated(Sample("s", "q", ("yes",)), "half") == 0.5
    assert decorated.metric == "_asserts"


EVALUATED = """
from harness import Sample
from harness.pytest_plugin import assert_ships, evaluate

SAMPLES = [Sample(f"s{i}", f"q{i}", ("yes",)) for i in range(60)]
RULES = {
    "candidate": "tuned",
    "rule": [
        {"metric": "polite", "role": "superior", "versus": "prompt", "margin": 0.1},
        {"metric": "polite", "role": "superior", "versus": "prompt", "margin": 0.9},
    ],
}


def prompt(sample):
    if sample.id == "s7":
        raise RuntimeError("lost")
    return "yes" if int(sample.id[1:]) % 2 else "no"


@evaluate(SAMPLES, {"prompt": prompt, "tuned": lambda sample: "yes"}, rules=RULES)
def test_polite(sample, output):
    assert output == sample.targets[0]


@evaluate(SAMPLES[:5], {"prompt": lambda sample: "yes"})
def test_measured_only(sample, output):
    assert output


def test_stored(harness_run):
    assert_ships(harness_run, {"candidate": "tuned", "rule": RULES["rule"][:0]})
"""


@pytest.mark.parametrize("extra", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_asserts_become_a_metric_and_rules_its_items(
    pytester: pytest.Pytester, extra: tuple[str, ...]
) -> None:
    if extra:
        pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makepyfile(test_it=EVALUATED)
    result = pytester.runpytest_subprocess("-v", *extra)
    assert result.parseoutcomes() == {"passed": 2, "failed": 1, "skipped": 1}
    result.stdout.fnmatch_lines(["HOLD *test_polite  prompt *+0.5085*59 *1"])
    collected = pytester.runpytest("--collect-only", "-q").stdout.str()
    assert "test_it.py::test_polite::polite superior to prompt by 0.1" in collected
    assert "test_it.py::test_measured_only::measured" in collected


def test_variants_of_a_server_are_measured(
    pytester: pytest.Pytester, suites: Path, server: Any
) -> None:
    pytester.makepyfile(
        test_served="""
        from harness import Sample
        from harness.pytest_plugin import assert_ships, evaluate
        from harness.recipes import load_variant

        VARIANTS = [load_variant(f"suites/served/{name}.toml") for name in ("base", "tuned")]
        SAMPLES = [Sample(f"s{i}", f"q{i}") for i in range(40)]
        RULE = {"metric": "agrees", "role": "superior", "versus": "best", "margin": 0.1}


        @evaluate(SAMPLES, VARIANTS, rules={"candidate": "tuned", "rule": [RULE]})
        def test_agrees(sample, output):
            assert output == "yes"


        def test_suite(harness_run_suite):
            run = harness_run_suite("suites/served", limit=50)
            assert len(run.outputs) == 100
            rule = {"metric": "exact_match", "role": "superior", "versus": "base", "margin": 0.1}
            assert_ships(run, {"candidate": "tuned", "rule": [rule]})
        """
    )
    result = pytester.runpytest("test_served.py")
    assert result.parseoutcomes() == {"passed": 2}, result.stdout.str()
