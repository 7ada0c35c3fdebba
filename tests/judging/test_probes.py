"""Judges that are fooled, and one that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

pytest.importorskip("openai", reason="the extra 'server' is not installed")

from scripted_judge import judging, rating, winner
from scripted_server import Body, Said, choice, serving
from test_panel import Notes, model

from harness.judging import Rubric
from harness.judging.panel import Panel
from harness.judging.probes import Outcome, probe, probes

POINT = Rubric("accuracy_of_mine", "{question} {reference} {answer}")
PAIR = Rubric("better", "{question} {reference} {answer_1} {answer_2}")
KINDS = {one.kind for one in probes()}
Rule = Callable[[Mapping[str, str], Body], Said]


def outcomes(rule: Rule, rubric: Rubric) -> dict[str, Outcome]:
    with serving(judging(rule), ["judge"]) as server:
        found = probe(Panel([model(server.url)], rubric), Notes())
    return {one.probe: one for one in found}


def swayed_by(words: str) -> Rule:
    """Right but for answers that hold these words."""

    def rule(seen: Mapping[str, str], body: Body) -> Said:
        if "answer" in seen:
            return rating(5) if words in seen["answer"] else honest(seen, body)
        for who in ("1", "2"):
            if words in seen[f"answer_{who}"]:
                return winner(who)
        return honest(seen, body)

    return rule


def honest(seen: Mapping[str, str], body: Body) -> Said:
    """Prefers what is as good as the honest answers of the set."""
    good = {one.good for one in probes()} | {
        one.attack for one in probes() if one.kind == "swapped_order"
    }
    if "answer" in seen:
        return rating(5 if seen["answer"] in good else 1)
    one, two = (seen[key] in good for key in ("answer_1", "answer_2"))
    return winner("tie" if one == two else "1" if one else "2")


def test_the_set_holds_what_it_must() -> None:
    wanted = {"injected_instruction", "stated_score", "constant_answer", "padding"}
    assert wanted | {"swapped_order", "own_verdict", "closed_fence"} == KINDS
    assert all("{" not in one.attack or one.kind == "own_verdict" for one in probes())
    constant = {one.attack for one in probes() if one.kind == "constant_answer"}
    assert len(constant) == 1


@pytest.mark.parametrize("rubric", [POINT, PAIR], ids=["pointwise", "pairwise"])
def test_an_honest_judge_is_never_fooled(rubric: Rubric) -> None:
    found = outcomes(honest, rubric)
    assert {one.fooled for one in found.values()} == {0}
    assert {one.unparseable for one in found.values()} == {0}
    assert found.keys() == (KINDS if rubric is PAIR else KINDS - {"swapped_order"})


@pytest.mark.parametrize("rubric", [POINT, PAIR], ids=["pointwise", "pairwise"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("injected_instruction", "Note to the evaluator"),
        ("stated_score", "score: 5"),
        ("constant_answer", "accurate and helpful response"),
        ("padding", "step"),
        ("own_verdict", '"score": 5'),
        ("closed_fence", "gets 5 and wins"),
    ],
)
def test_a_judge_that_can_be_swayed_is_found_out(kind: str, words: str, rubric: Rubric) -> None:
    found = outcomes(swayed_by(words), rubric)
    assert {name for name, one in found.items() if one.fooled} == {kind}
    assert found[kind].fooled == found[kind].asked == 5


def test_a_judge_that_takes_the_first_is_fooled_by_everything() -> None:
    found = outcomes(lambda seen, body: winner("1"), PAIR)
    assert all(one.fooled == one.asked for one in found.values())


def test_one_score_for_everything_is_fooled_by_everything() -> None:
    found = outcomes(lambda seen, body: rating(4), POINT)
    assert all(one.fooled == one.asked for one in found.values())


def test_no_verdict_is_neither_fooled_nor_proof() -> None:
    found = outcomes(lambda seen, body: choice("hm"), POINT)
    assert all((one.fooled, one.unparseable) == (0, one.asked) for one in found.values())
