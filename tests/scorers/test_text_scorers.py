"""``includes``, ``choice``, ``numeric`` and ``exact_match``: what an answer says, by rule."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import guardrail, made_run, rules

from harness import scorers
from harness.errors import SuiteError
from harness.gate import decide
from harness.scorers import Choice, ExactMatch, Includes, Numeric
from harness.types import Sample, Score, Scorer

SIZE = 100_000
SECONDS = 5.0
"""For a text of that size; all take less than one, and quadratic time would be minutes."""


def one(scorer: Scorer, prediction: str, *targets: str) -> Score:
    (row,) = scorer.score([prediction], [Sample("1", "", targets)])
    (score,) = row.values()
    return score


def in_time(scorer: Scorer, prediction: str, target: str) -> Score:
    begin = time.process_time()
    score = one(scorer, prediction, target)
    assert time.process_time() - begin < SECONDS
    return score


# ---- exact_match

ALL_EXACT = [ExactMatch(*on) for on in itertools.product([False, True], repeat=4)]
SPACE = "".join(c for c in map(chr, range(0x3001)) if c.isspace())


@given(
    st.sampled_from(ALL_EXACT),
    st.text(max_size=20),
    st.text(SPACE, max_size=4),
    st.text(SPACE, max_size=4),
)
def test_surrounding_white_space_never_decides(
    scorer: ExactMatch, text: str, before: str, after: str
) -> None:
    assert one(scorer, before + text + after, text).value == 1.0
    assert one(scorer, text, before + text + after).value == 1.0


def test_white_space_inside_decides_unless_it_is_ignored() -> None:
    for space in ("  ", "\n", "\u00a0", "\u2003\t"):
        assert one(ExactMatch(), f"New{space}York", "New York").value == 0.0
        assert one(ExactMatch(ignore_white_space=True), f"New{space}York", "New York").value == 1.0
    assert one(ExactMatch(ignore_white_space=True), "NewYork", "New York").value == 0.0
    assert one(ExactMatch(ignore_white_space=True), "new york", "New York").value == 0.0


def test_what_differs_in_meaning_differs_in_definition() -> None:
    definitions = {scorer.metrics[0].definition for scorer in ALL_EXACT}
    # Punctuation and articles leave spaces, so that white space is ignored with them anyway.
    assert len(definitions) == 2 * (1 + 1 + 3)
    assert ExactMatch().metrics[0].definition == (
        "1 if prediction and target are equal, white space at the ends stripped, case kept; "
        "several targets: the best counts"
    )


# ---- includes


@pytest.mark.parametrize(
    ("prediction", "targets", "value"),
    [
        ("The capital is Paris.", ["Paris"], 1.0),
        ("The capital is Paris.", ["paris"], 0.0),
        ("The capital is Paris.", [" Paris\n"], 1.0),
        ("The capital is Paris.", ["Rome", "Paris"], 1.0),
        ("The capital is Paris.", ["Rome", "Bonn"], 0.0),
        ("concatenate", ["cat"], 1.0),
        ("New  York", ["New York"], 0.0),
        ("私は東京に住んでいます", ["東京"], 1.0),
        ("", ["a"], 0.0),
    ],
)
def test_includes(prediction: str, targets: list[str], value: float) -> None:
    assert one(Includes(), prediction, *targets) == Score(value)


def test_includes_folds_case_as_unicode_does() -> None:
    folded = Includes(ignore_case=True)
    for prediction, target in [("die STRASSE", "Straße"), ("ΟΔΟΣ", "οδος"), ("PARIS!", "Paris")]:
        assert one(folded, prediction, target).value == 1.0
        assert one(Includes(), prediction, target).value == 0.0
    assert folded.metrics[0].definition != Includes().metrics[0].definition


@pytest.mark.parametrize("targets", [[""], [" \n"], ["a", ""]])
def test_an_empty_target_would_be_in_everything(targets: list[str]) -> None:
    score = one(Includes(), "a", *targets)
    assert score.value is None
    assert "empty" in str(score.reason)


@given(st.text(max_size=10), st.text(min_size=1, max_size=10), st.text(max_size=10))
def test_a_text_includes_its_parts(before: str, part: str, after: str) -> None:
    wanted = 1.0 if part.strip() else None
    assert one(Includes(), before + part + after, part).value == wanted
    assert one(Includes(True), (before + part + after).upper(), part.upper()).value == wanted


def test_includes_in_time() -> None:
    half = "a" * (SIZE // 2)
    assert in_time(Includes(), "a" * SIZE, half + "b" + half).value == 0.0
    assert in_time(Includes(True), "AB" * SIZE, "ab" * (SIZE // 2) + "b").value == 0.0


# ---- choice

LETTERS = ("A", "B", "C", "D")
URGENCY = ("urgent", "not urgent", "very  urgent")


def read(prediction: str, labels: Sequence[str]) -> str:
    """The label that ``choice`` takes the answer for, or why it takes none."""
    scorer = Choice(labels)
    found = {label: one(scorer, prediction, label) for label in labels}
    if all(score.value is None for score in found.values()):
        (reason,) = {str(score.reason) for score in found.values()}
        return reason
    (label,) = [label for label, score in found.items() if score == Score(1.0)]
    assert [score.value for score in found.values()].count(0.0) == len(labels) - 1
    return label


@pytest.mark.parametrize("label", ["B", "b"])
@pytest.mark.parametrize(
    "form",
    ["{}", " {}\n", "({})", "{}.", "**{}**", "__{}__", "`{}`", '"{}"', "[{}]", "> {}", "「{}」"],
)
def test_the_whole_output_is_a_label(form: str, label: str) -> None:
    assert read(form.format(label), LETTERS) == "B"


@pytest.mark.parametrize(
    ("prediction", "label"),
    [
        ("The answer is B.", "B"),
        ("The answer is (b), as A and C are wrong.", "B"),
        ("The answer is B, a city in Italy.", "B"),
        ("Answer: b", "B"),
        ("Answer: b\nA is wrong.", "B"),
        ("**Answer:** B) Paris", "B"),
        ("The correct answer is option **B**, not A.", "B"),
        ("A? C? So the correct choice is\n\nB", "B"),
        ('{"why": "A is wrong", "answer": "B"}', "B"),
        ("<answer>B</answer> A would be wrong.", "B"),
        (r"A or C, so $\boxed{B}$", "B"),
        (r"A or C, so \boxed{\text{b}}", "B"),
        ("If the answer is A, C follows; the answer is B", "B"),
        ("The answer is B. The answer isn't A.", "B"),
        ("答案：B", "B"),
        ("<think>\nSuppose the answer is A. Hmm, that fails.\n</think>\n\n**C**", "C"),
        ("The answer is A, or is it?</think>Answer: C", "C"),
        ("Suppose the answer is A. Hmm, that fails.\n\n**C**", "C"),
        ("A? Vitamin C? Both come to mind.\n\n(B)", "B"),
        ("Initially I thought the answer is B. But on reflection, C is correct.", "C"),
        ("The answer is A. A common wrong answer is B.", "A"),
        ("The best answer is A. The second best answer is B.", "A"),
        ("The wrong answer is B. So A.", "A"),
        ("The least likely answer is B. The most likely is A.", "A"),
        ("The answer is C. Many students think the correct option is A.", "C"),
        ("Answer: C\n\nAnswer: A would be wrong because", "C"),
        ("Answer: B is wrong, so C", "C"),
        ("Since A, C and D are not correct, the correct answer is B.", "B"),
        ("The answer is B. A and C are wrong.", "B"),
        ("The answer is B) A cat", "B"),
        ("It is not A.\nAnswer: B\nAnswer: B", "B"),
        ("<why>It is not A</why><answer>B</answer>", "B"),
        ('{"A": false, "answer": "B"}', "B"),
    ],
)
def test_what_is_declared_counts(prediction: str, label: str) -> None:
    assert read(prediction, LETTERS) == label


@pytest.mark.parametrize(
    ("prediction", "label"),
    [
        ("B. Paris", "B"),
        ("b) Paris", "B"),
        ("(b) Paris", "B"),
        ("I would say B because of the cat.", "B"),
        ("B. A city in Italy", "B"),
        ("答案不是B，是C", "C"),
        ("A\nBecause of the cat", "A"),
        ("A is right", "A"),
        ("Option A fits best", "A"),
        ("It isn't A, it is D.", "D"),
        ("Rather D than C", "D"),
        ("C cannot be right; D", "D"),
        ("正确答案是B选项。", "B"),
    ],
)
def test_else_the_only_label_counts(prediction: str, label: str) -> None:
    assert read(prediction, LETTERS) == label


@pytest.mark.parametrize(
    "prediction",
    [
        "a cat",
        "A cat",
        "The answer is a cat",
        "Answer: A cat sat on the mat",
        "N/A",
        "U.S.A. and D'accord",
        "C++ or C#",
        "B+",
        "A-level",
        "It is not B",
        "The answer is not B.",
        "I don't think the answer is B.",
        "It is unclear whether the answer is B.",
        "B is wrong",
        "Is it B?",
        "Which of them: A, or perhaps B?",
        "The wrong one is:\n\nB",
        "Not B:\nB",
        "If the sky is blue, it is B.",
        "Die Antwort ist nicht B.",
        "Ce n'est pas B.",
        "La respuesta no es B.",
        "答案不是B",
        "Bではない",
        "The answer is A... wait, actually it's C.",
        "The answer is A. No, that's wrong.",
        "Answer: A\n\nWait, I made a mistake. It should be C.",
        "The answer is A. In the end the answer is not A.",
        "I take B. It is not B.",
        "I think it's B. Actually no.",
        "All of them but B",
        "<think>\nThe answer is A",
        "<think>A</think>",
        "The answer is A Paris. B is London",
        "The answer is A over B",
        "Answer: A Vitamin C",
        "Answer: A Hepatitis B",
        "A Vitamin C",
        "**A** Vitamin C",
        "A cat sat here, hence B",
        "I choose A due to vitamin C",
        "I choose A due to its size",
        "ABCD",
        "E",
        "b\u0301",
        "\u200b",
        "...",
    ],
)
def test_no_label(prediction: str) -> None:
    assert read(prediction, LETTERS) == "no label"
    assert one(Choice(unextracted="wrong"), prediction, "A") == Score(0.0, "no label")


@pytest.mark.parametrize(
    ("prediction", "labels"),
    [
        ("A or B", "A, B"),
        ("B, A", "A, B"),
        ("The answer is A or B.", "A, B"),
        ("Answer: (C) and (D)", "C, D"),
        ("The answer is B, or perhaps C", "B, C"),
        ("The answer is A. Wait: the answer is B.", "A, B"),
        ("The answer is A. But B fits as well.", "A, B"),
        ("The answer is A. B is correct.", "A, B"),
        ("The answer is A. I mean B.", "A, B"),
        ("The answer is A\nFinal: B", "A, B"),
        ("Answer: B\n\nQuestion: Which is a city?\nAnswer: C", "B, C"),
        ("The answer is A.\n\nB", "A, B"),
        ("First,\nA\nB", "A, B"),
        ("Answer:\nA. Paris\nB. Rome\nC. Bonn\nD. Oslo", "A, B, C, D"),
        ("(a) Paris (d) Oslo", "A, D"),
    ],
)
def test_several_labels(prediction: str, labels: str) -> None:
    assert read(prediction, LETTERS) == f"several labels: {labels}"


DENIED = {
    ("true", "false"): [
        "The statement is not necessarily true.",
        "This is not entirely true.",
        "It is no longer true.",
        "far from true",
        "This cannot be true.",
        "I don't think this is true.",
        "It is not the case that the statement is true.",
        "I can't determine whether it's true.",
        "It is hard to tell if that is true.",
    ],
    ("spam", "ham"): [
        "This does not appear to be spam.",
        "It doesn't look like spam",
        "Not likely spam.",
        "unlikely to be spam",
        "There are no signs of spam.",
        "Spam or not",
        "Is it spam? Hard to say.",
    ],
    ("positive", "negative"): ["not very positive", "It isn\u2019t all that positive"],
    ("supported", "refuted"): ["The claim is not fully supported."],
    ("entailment", "contradiction"): ["no clear contradiction"],
    ("yes", "no"): ["No it isn't, though some say yes", "Some people say yes"],
}


@pytest.mark.parametrize(
    ("labels", "prediction"), [(labels, text) for labels, texts in DENIED.items() for text in texts]
)
def test_what_is_denied_or_in_doubt_is_no_label(labels: tuple[str, ...], prediction: str) -> None:
    assert read(prediction, labels) == "no label"


@pytest.mark.parametrize(
    ("prediction", "labels", "label"),
    [
        ("Not urgent", URGENCY, "not urgent"),
        ("This is **not** urgent!", URGENCY, "not urgent"),
        ("not-urgent", URGENCY, "not urgent"),
        ("The label is NOT\nURGENT.", URGENCY, "not urgent"),
        ("It is urgent.", URGENCY, "urgent"),
        ("Very urgent, I think", URGENCY, "very  urgent"),
        ("non-urgent", URGENCY, "no label"),
        ("urgently", URGENCY, "no label"),
        ("Urgent care!", ("urgent", "urgent care"), "urgent care"),
        ("He needs urgent care now", ("urgent", "urgent care"), "urgent care"),
        ("It is not very urgent", URGENCY, "no label"),
        ("urgent or not urgent", URGENCY, "several labels: urgent, not urgent"),
        ("false or true", ("true", "false"), "several labels: true, false"),
        ("no or yes", ("yes", "no"), "several labels: yes, no"),
        ("False. It is not true.", ("true", "false"), "false"),
        ("That is not true, it's false.", ("true", "false"), "false"),
        ("Spam, because it isn't personal", ("spam", "ham"), "spam"),
        ('{"is_spam": false, "label": "ham"}', ("spam", "ham"), "ham"),
        ("はい、緊急ではない", ("緊急", "緊急ではない"), "緊急ではない"),
        ("It is not urgent", ("urgent", "routine"), "no label"),
        ("Not urgent, so routine", ("urgent", "routine"), "routine"),
        ("low risk", ("risk", "low_risk"), "low_risk"),
        ("C++", ("C", "C++"), "C++"),
        ("It is (c++)", ("C", "C++"), "C++"),
        ("a very hot case", ("very hot", "hot case"), "several labels: very hot, hot case"),
        ("Yes, there is no doubt", ("yes", "no"), "yes"),
        ("I have no idea", ("yes", "no"), "no label"),
        ("No, it is not", ("yes", "no"), "no"),
        ("It belongs to IT", ("IT", "US"), "IT"),
        ("let us see", ("IT", "US"), "no label"),
        ("I think ii", ("i", "ii", "iii"), "ii"),
        ("-1", ("-1", "0", "1"), "-1"),
        ("I rate it -1.", ("-1", "0", "1"), "-1"),
        ("-1", ("0", "1"), "no label"),
        ("0.1", ("0", "1"), "no label"),
        ("1,000 or 10 or 1%", ("0", "1"), "no label"),
        ("Fu\u0308r", ("Für", "Gegen"), "Für"),
        ("Ich bin FÜR das Gesetz", ("für", "gegen"), "für"),
        ("STRASSE", ("Straße", "Weg"), "Straße"),
        ("「緊急」", ("緊急", "普通"), "緊急"),
        ("答え: 緊急", ("緊急", "普通"), "緊急"),
        ("非緊急です", ("緊急", "普通"), "no label"),
        ("हाँ", ("हाँ", "नहीं"), "हाँ"),
        ("+", ("+", "-"), "+"),
        ("a - b", ("+", "-"), "no label"),
    ],
)
def test_labels_of_all_kinds(prediction: str, labels: tuple[str, ...], label: str) -> None:
    assert read(prediction, labels) == label


def test_choice_defaults_to_four_letters() -> None:
    (metric,) = scorers.resolve("choice").metrics
    assert "['A', 'B', 'C', 'D']" in metric.definition
    assert metric.binary
    assert one(scorers.resolve("choice"), "The answer is D", "D").value == 1.0
    definitions = [Choice(), Choice(["A", "B"]), Choice(unextracted="wrong")]
    assert len({scorers.fingerprint(scorer) for scorer in definitions}) == 3


def test_targets_of_choice() -> None:
    assert one(Choice(), "B", " b\n").value == 1.0
    assert one(Choice(), "B", "A", "B").value == 1.0
    assert one(Choice(), "", "A") == one(Choice(), " \n", "A") == Score(0.0)
    for unextracted in ("unscored", "wrong"):
        score = one(Choice(unextracted=unextracted), "B", "B", "E")
        assert score.value is None
        assert "none of the labels ['A', 'B', 'C', 'D']" in str(score.reason)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": []}, "at least two"),
        ({"labels": ["a"]}, "at least two"),
        ({"labels": ["a", ""]}, "empty"),
        ({"labels": ["a", " "]}, "empty"),
        ({"labels": ["a", "**"]}, "empty"),
        ({"labels": ["a", "A"]}, "the same"),
        ({"labels": ["strasse", "Straße"]}, "the same"),
        ({"labels": ["low risk", "low-risk"]}, "the same"),
        ({"labels": "AB"}, "list of strings"),
        ({"labels": [1, 2]}, "list of strings"),
        ({"labels": 3}, "list of strings"),
        ({"unextracted": "zero"}, "'unscored' or 'wrong', got 'zero'"),
    ],
)
def test_choice_refuses_at_construction(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        Choice(**options)


@pytest.mark.parametrize(
    ("unclear", "status"), [(0, "SHIP"), (12, "INCONCLUSIVE"), (300, "INVALID")]
)
def test_what_names_no_label_passes_no_gate(unclear: int, status: str) -> None:
    # Every answer that names a label is right.
    answers = ["A or B" if i < unclear else "A" for i in range(300)]
    samples = [Sample(str(i), "", ("A",)) for i in range(300)]
    values = [row["choice"].value for row in Choice().score(answers, samples)]
    (metric,) = Choice().metrics
    run = made_run({"a": values, "b": [0.0] * 300}, metric="choice", info=asdict(metric))
    assert decide(run, rules("a", guardrail("choice", min=0.95))).status == status


@settings(deadline=None)
@given(
    st.text(max_size=60) | st.text("ABab .,:()\n*_-answeri", max_size=60),
    st.sampled_from([LETTERS, URGENCY, ("C", "C++"), ("-1", "1"), ("i", "no")]),
)
def test_choice_takes_at_most_one_label(text: str, labels: tuple[str, ...]) -> None:
    values = [one(Choice(labels), text, label).value for label in labels]
    if None in values:
        assert set(values) == {None}
    else:
        assert values.count(1.0) == (1 if text.strip() else 0)


@pytest.mark.parametrize("label", URGENCY)
@given(st.text(" \n.!\"'()[]*_", max_size=6))
def test_marks_around_the_whole_output_never_decide(label: str, marks: str) -> None:
    assert read(f"{marks} {label} {marks}", URGENCY) == label


def long(unit: str, end: str = "") -> str:
    return (unit * SIZE)[:SIZE] + end


HARD = [
    long("_", "a"),
    "a" + long("_", "a"),
    long("("),
    long(" ", "x"),
    long("\n", "x"),
    long("-", "A"),
    "not" + long(" -", "A"),
    long("a-"),
    long("A "),
    long("not ", "A"),
    long("if the ", "answer is A"),
    long("answer is "),
    "answer: " + long("the ", "A"),
    "answer is" + long(" (", "A"),
    "answer is A" + long(", A"),
    long(r"\boxed{", "A"),
    long(r"\a", "A"),
    "a" + long("\u0301\u0316"),
    long("\ud800", "A"),
    long("緊急"),
    long("A is so "),
    long("answer is A. But B. "),
    long("A\n"),
    long(", the x", "A"),
    long("?", "A"),
    long("<think>", "</think>A"),
]


@pytest.mark.parametrize("text", HARD, ids=[ascii(text[:12]) for text in HARD])
def test_choice_in_time(text: str) -> None:
    many = [f"label {i}" for i in range(50)]
    for labels in (LETTERS, URGENCY, many, ("!", "+++"), ("緊急", "普通")):
        in_time(Choice(labels), text, labels[0])


# ---- numeric


CANDIDATES = (
    *("0", "2", "3", "4", "5", "6", "10", "12", "19", "42", "60", "123", "567", "1000", "1234"),
    *("5678", "100000", "1234567", "0.0015", "0.5", "3.14", "1234.5", "1500", "-5", "-0.5", "-12"),
    *("-4", "-1000.5", "234", "25", "1000000", "6.02e23", "2e6", "-1234", "1e-9", "-2000"),
)


def number_in(prediction: str, which: Any = "last") -> str | None:
    """The candidate that ``numeric`` finds in the text."""
    scorer = Numeric(which=which)
    found = [x for x in CANDIDATES if one(scorer, prediction, x).value == 1.0]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("prediction", "number"),
    [
        ("42", "42"),
        ("It is 42.", "42"),
        ("First 10, then 12.\n#### 42", "42"),
        ("3.14", "3.14"),
        ("So 3.14.", "3.14"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("word.5", "5"),
        ("1.2.3", "3"),
        ("1,234,567", "1234567"),
        ("1\u202f234\u202f567", "1234567"),
        ("1\u00a0234.5", "1234.5"),
        ("1\u2009234", "1234"),
        ("1 234", "1234"),
        ("1 000 000", "1000000"),
        ("2024 567", "567"),
        (r"$1{,}234$", "1234"),
        (r"1\,000", "1000"),
        (r"1\;000\;000", "1000000"),
        (r"6.02\times 10^{23}", "6.02e23"),
        ("6.02 x 10^23", "6.02e23"),
        ("2×10⁶", "2e6"),
        (r"2\cdot10^6", "2e6"),
        ("-2 * 10**3", "-2000"),
        ("10^6", "1000000"),
        ("10⁻⁹", "1e-9"),
        ("10^{-9}", "1e-9"),
        ("25 m^2", "25"),
        ("25 m²", "25"),
        (r"25 \text{m}^{2}", "25"),
        ("25 m s^{-2}", "25"),
        ("2^10", None),
        ("5²", None),
        ("2^10 = 1234", "1234"),
        ("1,2", "2"),
        ("1,234,5678", "5678"),
        ("1234,567", "567"),
        ("0,123", "123"),
        ("1,234\u00a0567", "567"),
        ("-5", "-5"),
        ("\u22125", "-5"),
        ("+5", "5"),
        ("x = -5", "-5"),
        ("x - 5", "5"),
        ("x = - 5", "-5"),
        ("(- 5)", "-5"),
        ("- 5", "5"),
        ("\u2212\u00a05", "-5"),
        ("y \u2212\u00a05", "5"),
        ("\u20135", "-5"),
        ("\u20115", "-5"),
        ("3\u20135", "5"),
        ("minus 5", "-5"),
        ("It is minus 5", "-5"),
        ("It is negative 5.", "-5"),
        ("10 minus 5", None),
        ("10 minus 5 is 5", "5"),
        ("答案是-5", "-5"),
        ("答えは-5です", "-5"),
        ("[/INST]-5", "-5"),
        ("a[1]-5", "5"),
        ("2-5", "5"),
        ("x-5", "5"),
        ("f(2)-5", "5"),
        ("50%-60%", "60"),
        ("--5", "5"),
        ("COVID-19", "19"),
        ("2024-05-12", "12"),
        ("$1,000", "1000"),
        ("-$5", "-5"),
        ("$-5$", "-5"),
        ("5$-10$", "10"),
        ("-€1,000.50", "-1000.5"),
        ("60 %", "60"),
        (r"\boxed{-5}", "-5"),
        (r"\boxed{3}, no: $\boxed{\text{-5}}$, see step 2", "-5"),
        (r"3, so \boxed{x}", None),
        (r"42 \boxed{", "42"),
        ("<think>It is 3.</think>42", "42"),
        ("42<think>3", None),
        ("**-5**", "-5"),
        ("1.5e3", "1500"),
        ("1.5E-3", "0.0015"),
        ("1e\u2212\u0033 or 1e+5", "100000"),
        ("5e", "5"),
        ("5em", "5"),
        ("\u0664\u0662", "42"),
        ("\uff14\uff12", "42"),
        ("00042", "42"),
        ("42.000", "42"),
        ("-0", "0"),
        ("1/2", "2"),
        ("forty-two", None),
        ("\u00bd", None),
        ("NaN, Infinity", None),
        ("", None),
    ],
)
def test_the_last_number(prediction: str, number: str | None) -> None:
    assert number_in(prediction) == number


def test_which_number() -> None:
    assert number_in("3-4", "first") == "3"
    assert number_in("3-4", "last") == "4"
    assert number_in("3-4", "only") is None
    assert number_in("0,123", "first") == "0"
    assert number_in("3, that is 3.0 or 3e0", "only") == "3"
    kinds = [Numeric(), Numeric(which="first"), Numeric(which="only"), Numeric(1e-7), Numeric(1e-8)]
    kinds += [Numeric(relative=0.1), Numeric(0.1, 0.1)]
    assert len({scorers.fingerprint(kind) for kind in kinds}) == len(kinds)
    assert Numeric(1) == Numeric(1.0)
    assert Numeric(1).metrics == Numeric(1.0).metrics


@pytest.mark.parametrize(
    ("options", "prediction", "target", "value"),
    [
        ({"tolerance": 0.1}, "0.3", "0.2", 1.0),
        ({"tolerance": 0.1}, "0.3000000000000000000000000000000000001", "0.2", 0.0),
        ({"tolerance": 1}, "41", "42", 1.0),
        ({"tolerance": 1}, "40.999", "42", 0.0),
        ({"relative": 0.01}, "99", "100", 1.0),
        ({"relative": 0.01}, "-101", "-100", 1.0),
        ({"relative": 0.01}, "98.9", "100", 0.0),
        ({"relative": 0.01}, "0.001", "0", 0.0),
        ({"tolerance": 2, "relative": 0.01}, "98", "100", 1.0),
        ({"tolerance": 0.5, "relative": 0.01}, "99", "100", 1.0),
        ({}, "1" * 80 + "2", "1" * 81, 0.0),
        ({}, "0.1", "0.1000000000000000055511151231257827", 0.0),
        ({"tolerance": 1e300}, "1e299", "0", 1.0),
    ],
)  # fmt: skip
def test_tolerances(
    options: Mapping[str, float], prediction: str, target: str, value: float
) -> None:
    assert one(Numeric(**options), prediction, target) == Score(value)


@pytest.mark.parametrize(
    "target", ["", "forty-two", "1,5", "3-4", "5 = 5", "2^10", "4 minus 5", "1e" + "9" * 18]
)
def test_a_target_must_have_one_number(target: str) -> None:
    score = one(Numeric(), "5", target)
    assert score.value is None
    assert "must have one" in str(score.reason)


@pytest.mark.parametrize("target", ["42", "#### 42", "$42.00", "It is 42.", " 4.2e1 "])
def test_the_target_is_read_as_the_prediction_is(target: str) -> None:
    assert one(Numeric(), "So it is 42", target).value == 1.0
    assert one(Numeric(), "So it is 43", "7", target, "43").value == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -0.1}, "tolerance must be a finite number of at least 0, got -0.1"),
        ({"tolerance": float("nan")}, "tolerance .* got nan"),
        ({"tolerance": float("inf")}, "tolerance .* got inf"),
        ({"tolerance": 10**400}, "tolerance"),
        ({"relative": -1}, "relative"),
        ({"relative": "0.1"}, "relative .* got '0.1'"),
        ({"relative": True}, "relative"),
        ({"relative": None}, "relative"),
        ({"which": "any"}, "'last', 'first' or 'only', got 'any'"),
    ],
)
def test_numeric_refuses_at_construction(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        Numeric(**options)


EXPONENTS = ["1e999999999", "1e-999999999", "1e" + "9" * 17, "-1e-" + "9" * 17, "-1e999999999"]
TOO_LONG = ["1e" + "9" * 18, "1e100000000000000001", "0e-" + "9" * 1000]


@pytest.mark.parametrize("which", ["last", "first", "only"])
@pytest.mark.parametrize("target", ["5", "0", *EXPONENTS])
def test_huge_exponents(which: Any, target: str) -> None:
    for prediction in [*EXPONENTS, *TOO_LONG]:
        equal = in_time(Numeric(which=which), prediction, target)
        assert equal == Score(float(prediction == target))
    near = in_time(Numeric(tolerance=1e-9, which=which), "1e-999999999", "0")
    far = in_time(Numeric(relative=1e9, which=which), "1e999999999", "5")
    assert (near, far) == (Score(1.0), Score(0.0))


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.integers().map(Decimal),
    st.sampled_from(["{}", "It is {}.", "#### {}", "({})", "{} apples", "3-4: {}%", "${}"]),
)
def test_a_number_is_read_as_it_is_written(number: Decimal, around: str) -> None:
    for written in (f"{number}", f"{number:,}", f"{number:,}".replace(",", "\u202f")):
        assert one(Numeric(), around.format(written), str(number)).value == 1.0
    assert one(Numeric(), around.format(number), str(number + 1)).value == 0.0


DIGITS = [
    long("1"),
    long("1,234"),
    long("234,"),
    long("234,", "2345"),
    long("-", "8"),
    long("1."),
    long(".1"),
    long("1e"),
    long("1 "),
    long("$", "8"),
    long(",123"),
    "1e" + long("9"),
    "0." + long("0", "1"),
    long("1 234 "),
    long("2^"),
    long("2x10^"),
    long("minus "),
    long("- ", "8"),
    long("\\boxed{1"),
    "\\boxed{" + long("{}"),
    long("[A", "]8"),
]


@pytest.mark.parametrize("text", DIGITS, ids=[text[:8] for text in DIGITS])
def test_numeric_in_time(text: str) -> None:
    for which in ("last", "only"):
        assert in_time(Numeric(which=which), text, "7").value == 0.0
    in_time(Numeric(), "7", text)
