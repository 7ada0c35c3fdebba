"""What a model does beside being right: it repeats itself, it runs on, it tells personal data."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from encoded import ABSTRACTS, fetched
from hypothesis import given
from hypothesis import strategies as st

from harness import personal, scorers
from harness.data.jsonl import read_jsonl
from harness.errors import SuiteError
from harness.scorers import Length, PiiLeak, Repetition
from harness.types import Sample, Scorer

EVALS = "pypi:evals==3.0.1.post1/evals/registry/data/"
SENTENCES = (
    EVALS + "ner_finance/samples.jsonl"
    "#sha256=7ffffeec797366ad631b7b57f404c73e437a15e38351895b3f71d1b030f69430"
)
HEADLINES = (
    EVALS + "sarcasm/samples.jsonl"
    "#sha256=4cb34ff4d2718da62368440ffe8dece7ece39a46b0fe4d172fdd8a76bc420f46"
)


def values(scorer: Scorer, text: str) -> dict[str, float | None]:
    (row,) = scorer.score([text], [Sample("1", "")])
    return {name: score.value for name, score in row.items()}


def repetition(text: str, n: int = 4) -> float:
    found = values(Repetition(n), text)["repetition"]
    assert found is not None
    return found


# ------------------------------------------------------------------------ repetition


@pytest.mark.parametrize(
    ("text", "n", "wanted"),
    [
        ("", 4, 0.0),
        (" \n", 4, 0.0),
        ("to be or", 4, 0.0),
        ("to be or not", 4, 0.0),
        # Five 4-grams, the first and the last are the same.
        ("a b c d a b c d", 4, 1 / 5),
        # Six words of which four are different.
        ("to be or not to be", 1, 2 / 6),
        ("to be or not to be", 2, 1 / 5),
        ("To be or not to be", 1, 1 / 6),
        ("a a a a a a a", 4, 3 / 4),
        ("a b\nc  d a\tb c d", 4, 1 / 5),
        ("yes, yes", 1, 0.0),
    ],
)
def test_the_share_of_n_grams_that_are_repeats(text: str, n: int, wanted: float) -> None:
    assert repetition(text, n) == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize(
    "loop",
    ["a" * 5000, "ha" * 2500, "-" * 5000, "😂" * 5000, "私は猫です。" * 500, "ไปไหนมา" * 500],
)
def test_a_loop_without_white_space_is_seen(loop: str) -> None:
    assert repetition(loop) > 0.98


@pytest.mark.parametrize(
    "text",
    [
        "昨日は友達と東京へ行き、美しい桜の花を見ました。",
        "The site is https://www.example.org/a/long/path/that/goes/on/and/on?page=2 as of today.",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    ],
)
def test_prose_without_white_space_hardly_repeats(text: str) -> None:
    assert repetition(text) < 0.05


@given(st.lists(st.sampled_from(["a", "B", "a,", "漢"]), max_size=40), st.integers(1, 6))
def test_repetition_is_a_share_whichever_way_it_is_read(words: list[str], n: int) -> None:
    found = repetition(" ".join(words), n)
    assert 0.0 <= found < 1.0
    assert found == repetition("\n".join(reversed(words)), n)
    assert (found == 0.0) == all(
        words[i : i + n] != words[j : j + n]
        for i in range(len(words) - n + 1)
        for j in range(i + 1, len(words) - n + 1)
    )


def test_words_of_a_script_without_spaces_are_characters() -> None:
    # 猫, が, 猫, を: four words of which three are different.
    assert repetition("猫が猫を", 1) == 1 / 4
    # A vowel sign does not stand alone: กา, กี.
    assert repetition("กากี", 1) == 0.0


@pytest.mark.parametrize("n", [0, -1, 21, 10**9, 2.5, "4", True, None])
def test_an_impossible_n_is_refused_by_name(n: Any) -> None:
    with pytest.raises(SuiteError, match="n must be a whole number from 1 to 20"):
        Repetition(n)


def test_n_is_in_the_definition_and_lower_is_better() -> None:
    (metric,) = scorers.resolve("repetition").metrics
    assert (metric.name, metric.higher_is_better, metric.low, metric.high) == (
        *("repetition", False),
        *(0.0, 1.0),
    )
    assert "4-grams" in metric.definition
    assert "2-grams" in Repetition(2).metrics[0].definition
    assert not scorers.needs_target(Repetition())


@pytest.mark.parametrize("text", ["a" * 100_000, "a " * 50_000, "漢" * 100_000, " " * 100_000])
def test_repetition_of_a_long_text_is_quick(text: str) -> None:
    started = time.process_time()
    Repetition(20).score([text], [Sample("1", "")])
    assert time.process_time() - started < 2.0


# ---------------------------------------------------------------------------- length


@pytest.mark.parametrize(
    ("text", "words", "chars"),
    [
        ("", 0, 0),
        (" \n", 0, 0),
        (" two  words\n", 2, 10),
        ("e\u0301", 1, 2),
        ("日本語", 1, 3),
        ("🙂 🙂", 2, 3),
    ],
)
def test_length_counts_words_and_characters(text: str, words: int, chars: int) -> None:
    assert values(Length(), text) == {"length_words": words, "length_chars": chars}


def test_length_has_no_greatest_value() -> None:
    assert [(m.name, m.low, m.high) for m in scorers.resolve("length").metrics] == [
        ("length_words", 0.0, None),
        ("length_chars", 0.0, None),
    ]
    assert [m.name for m in scorers.resolve("length_chars").metrics] == ["length_chars"]
    assert not scorers.needs_target(Length())


# --------------------------------------------------------------------- personal data

ANSWERS = {
    "email": "Write to Jane.Doe@Example.org.",
    "phone": "Call +49 30 1234567.",
    "card": "Paid with 4111 1111 1111 1111.",
    "iban": "To DE89 3704 0044 0532 0130 00, please.",
    "us_ssn": "Her number is 536-90-4399.",
    "ip": "It came from 203.0.113.17.",
}
"""A datum of each kind."""
OTHERWISE = {
    "email": "jane.doe@EXAMPLE.ORG",
    "phone": "Tel.+49-30-1234567",
    "card": "4111-1111-1111-1111",
    "iban": "de89370400440532013000",
    "us_ssn": "SSN:536‑90‑4399",
    "ip": "203.0.113.17/24",
}
"""The same data, written in another way."""
NEARLY = {
    "email": "jane@localhost, @jane, jane@ example.org, a@b.c, icon@2x",
    "phone": "+49 30 12, 030 1234567, +1 of 2, 5+3 1234567",
    "card": "4111 1111 1111 1112, 0.4111111111111111, 1111-4111-1111-1111-1111, 1234567890123452",
    "iban": "DE88 3704 0044 0532 0130 00, XX89 3704 0044 0532 0130 00, IN20 and AT 10",
    "us_ssn": "666-12-3456, 536904399, 1536-90-4399, 536-90-43990, 078-05-1120",
    "ip": "127.0.0.1, 255.255.255.0, 3.1.2.1, 1.22.333.4444, ::1, x[1::2], a::b, 12:30:45:00, "
    "v10.0.0.12, 10.0.0.12.5, 0.0.0.0, 00:1a:2b:3c:4d:5e",
}
"""What looks like one."""


def leak(text: str, sample: Sample | None = None, **options: Any) -> tuple[float | None, str]:
    (row,) = PiiLeak(**options).score([text], [sample or Sample("1", "")])
    return row["pii_leak"].value, str(row["pii_leak"].reason)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_datum_of_each_kind_is_a_leak_and_the_remark_names_the_kind_alone(kind: str) -> None:
    value, reason = leak(ANSWERS[kind])
    assert value == 1.0
    assert reason == f"personal data that the sample does not hold: {kind}"
    assert leak(ANSWERS[kind], kinds=[kind])[0] == 1.0
    others = [other for other in ANSWERS if other != kind]
    assert leak(ANSWERS[kind], kinds=others)[0] == 0.0


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_the_sample_holds_however_it_is_written_is_no_leak(kind: str) -> None:
    given, answer = OTHERWISE[kind], ANSWERS[kind]
    chat = ({"role": "user", "content": given}, {"role": "user", "content": "And now?"})
    for sample in (
        Sample("1", f"I am {given}"),
        Sample("1", chat),  # type: ignore[arg-type]
        Sample("1", "", ("nothing", given)),
        Sample("1", "", metadata={"context": given}),
        Sample("1", "", metadata={"passages": [{"id": 3, "text": given}]}),
    ):
        assert leak(answer, sample) == (0.0, "None")
        assert leak(f"{answer} {ANSWERS['email' if kind == 'ip' else 'ip']}", sample)[0] == 1.0
    assert leak(answer, Sample("1", "", metadata={"owner": given}))[0] == 1.0
    assert leak(answer, allowed=[given])[0] == 0.0


@pytest.mark.parametrize("kind", NEARLY)
def test_what_only_looks_like_personal_data_is_none(kind: str) -> None:
    assert leak(NEARLY[kind]) == (0.0, "None")


def test_another_datum_of_the_same_kind_is_a_leak() -> None:
    sample = Sample("1", "I am jane@example.org", ("+49 30 1234567",))
    assert leak("john@example.org", sample)[0] == 1.0
    assert leak("+49 30 1234568", sample)[0] == 1.0


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ("+49 30 901820", "Ruf 030 901820 an"),
        ("+49 30 901820", "0049 (30) 90-18-20"),
        ("123-45-6789", "my number is 123456789"),
        ("4111-1111-1111-1111", "4111.1111.1111.1111"),
        ("_jane@example.com_", "jane@example.com"),
        ("Möller@example.de", "an möller@example.de"),
    ],
)
def test_a_datum_in_a_form_that_is_none_by_itself_is_no_leak(answer: str, given: str) -> None:
    assert leak(answer)[0] == 1.0
    assert leak(answer, Sample("1", given)) == (0.0, "None")
    assert leak(answer, Sample("1", "", metadata={"context": {given: ["x"]}})) == (0.0, "None")


def test_addresses_that_differ_in_a_letter_with_a_mark_are_two() -> None:
    assert leak("möller@example.de", Sample("1", "müller@example.de"))[0] == 1.0


def test_metadata_may_be_nested_deeply() -> None:
    context: Any = "jane@example.com"
    for _ in range(5000):
        context = [context]
    sample = Sample("1", "", metadata={"context": context})
    assert leak("jane@example.com", sample) == (0.0, "None")


def test_a_remark_names_every_kind_once() -> None:
    text = " ".join([*ANSWERS.values(), "jo@example.org"])
    assert leak(text)[1].endswith(": iban, card, us_ssn, email, ip, phone")
    assert leak(text, kinds=["phone", "email"])[1].endswith(": email, phone")


def test_national_telephone_numbers_need_a_region() -> None:
    assert leak("Ruf 030 1234567 an.")[0] == 0.0
    assert leak("Ruf 030 1234567 an.", region="DE")[0] == 1.0
    assert leak("Ruf 030 1234567 an.", Sample("1", "+49301234567"), region="de")[0] == 0.0
    assert leak("(202) 456-1111", region="US")[0] == 1.0
    assert leak("030-1234567 030/1234567 (030) 1234567", region="DE")[0] == 1.0
    for row in (
        "0 3 0 1 2 3 4 5 6 7",
        "0.301234567",
        "7,0301234567",
        "119.4607453",
        "030 123.4567",
    ):
        assert leak(row, region="DE")[0] == 0.0


def test_fullwidth_text_is_read() -> None:
    assert leak("カード４１１１－１１１１－１１１１－１１１１")[1].endswith(": card")
    assert leak("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ")[1].endswith(": email")
    assert leak("メールはtaro@example.jpまで。")[1].endswith(": email")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["e-mail"]}, "no kind 'e-mail'.*Did you mean 'email'.*us_ssn"),
        ({"kinds": []}, "list of some of iban, card"),
        ({"kinds": "email"}, "list of some of iban, card"),
        ({"kinds": [3]}, "list of some of iban, card"),
        ({"region": "XX"}, "got 'XX'. Known: .*DE"),
        ({"region": 49}, "got 49"),
        ({"allowed": "help@example.org"}, "list of texts"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        PiiLeak(**options)


def test_the_definition_says_what_is_looked_for_by_what() -> None:
    (metric,) = scorers.resolve("pii_leak").metrics
    assert (metric.name, metric.higher_is_better, metric.binary) == ("pii_leak", False, True)
    assert "phonenumbers==" in metric.version
    assert "python-stdnum==" in metric.version
    variants = [
        PiiLeak(),
        PiiLeak(["email"]),
        PiiLeak(region="DE"),
        PiiLeak(region="US"),
        PiiLeak(allowed=["help@example.org"]),
        PiiLeak(allowed=["hilfe@example.org"]),
    ]
    assert len({scorers.fingerprint(one) for one in variants}) == len(variants)
    assert scorers.fingerprint(PiiLeak(["phone", "email"])) == scorers.fingerprint(
        PiiLeak(["email", "phone", "email"])
    )
    assert "@" not in variants[-1].metrics[0].definition
    assert variants[1].metrics[0].version == "harness.pii_leak==1"


def test_found_data_have_a_place_and_do_not_overlap_or_show_themselves() -> None:
    text = "Jo (jo@example.org, +49 30 1234567) paid ４１１１ 1111 1111 1111 123 and 10.0.0.17"
    found = personal.find(text, region="US")
    assert [(one.kind, text[one.start : one.end]) for one in found] == [
        ("email", "jo@example.org"),
        ("phone", "+49 30 1234567"),
        ("card", "４１１１ 1111 1111 1111"),
        ("ip", "10.0.0.17"),
    ]
    assert [one.normal for one in found] == [
        *("jo@example.org", "+49301234567"),
        *("4111111111111111", "10.0.0.17"),
    ]
    assert "jo@example" not in repr(found)


@given(st.text(alphabet="+49 (0)1a@.:-D E8\n", max_size=80))
def test_any_text_can_be_looked_through(text: str) -> None:
    found = personal.find(text, region="DE")
    assert all(0 <= one.start < one.end <= len(text) and one.normal for one in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    "unit",
    ["7", " ", "@", "a@a.", "a@aa.", "aa.", "1/", "+1 ", "+49 30 ", "4111 ", "10.", "a:", "DE89 "]
    + [f"{datum} " for datum in OTHERWISE.values()],
)
def test_personal_data_in_a_long_text_is_found_in_linear_time(unit: str) -> None:
    text = (unit * 50_000)[:50_000]
    started = time.process_time()
    personal.find(text, region="US")
    assert time.process_time() - started < 10.0


def test_real_text_has_hits_that_are_true_alone() -> None:
    """254 abstracts with their titles, 1,164 sentences of contracts, 28,614 headlines."""
    before: dict[str, str] = {}
    for reference in (ABSTRACTS, SENTENCES, HEADLINES):
        for _, row in read_jsonl(fetched(reference)):
            for text in (row["input"][-1]["content"], str(row["ideal"])):
                found = personal.find(text)
                before |= {one.normal: text[: one.start] for one in found}
                assert {one.kind for one in found} <= {"phone"}
    assert len(before) == 4
    assert all(
        text.endswith(("Tel : ", "Phone : ", "Facsimile : ", "Fax : ")) for text in before.values()
    )
