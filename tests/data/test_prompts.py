from __future__ import annotations

from dataclasses import replace

import pytest

from harness.data import data_fingerprint
from harness.data.prompts import completion, messages
from harness.errors import DataError
from harness.types import Data, Document, Message, Sample, Task, Variant

TASK = Task("t", Data(()), ["f1"], system="Task.", prompt="Q: {input}\nA:")
BASE = Variant("v", "hf:a/b")
ASKED = Sample("a", "why {input} {0} {question}?", ("because", "so"))


def turns(*pairs: tuple[str, str]) -> tuple[Message, ...]:
    return tuple(Message(role=role, content=content) for role, content in pairs)


def test_zero_shot_leaves_the_users_braces_alone() -> None:
    assert messages(TASK, BASE, ASKED) == turns(
        ("system", "Task."), ("user", "Q: why {input} {0} {question}?\nA:")
    )


@pytest.mark.parametrize(
    ("task", "variant", "system"),
    [("T", None, "T"), ("T", "V", "V"), (None, "V", "V"), ("T", "", None), (None, None, None)],
)
def test_which_system_prompt_holds(
    task: str | None, variant: str | None, system: str | None
) -> None:
    made = messages(replace(TASK, system=task), replace(BASE, system=variant), ASKED)
    assert [m["content"] for m in made if m["role"] == "system"] == ([system] if system else [])


def test_shots_are_pairs_before_the_question_and_passages_go_around_it() -> None:
    shot = Sample("s", "how", ("thus", "else"))
    task = replace(TASK, passages="D: {documents}\n{question} {documents}")
    documents = [Document("1", "one {question}"), Document("2", "two {input}")]
    made = messages(task, BASE, ASKED, shots=[shot, shot], documents=documents)
    passages = "one {question}\n\ntwo {input}"
    assert made == turns(
        ("system", "Task."),
        ("user", "Q: how\nA:"),
        ("assistant", "thus"),
        ("user", "Q: how\nA:"),
        ("assistant", "thus"),
        ("user", f"D: {passages}\nQ: why {{input}} {{0}} {{question}}?\nA: {passages}"),
    )


def test_a_conversation_keeps_its_turns_and_its_system_prompt() -> None:
    chat = Sample(
        "c",
        turns(("system", "Own."), ("user", "hi"), ("assistant", "hello"), ("user", "bye")),
        ("ciao",),
    )
    own = turns(("user", "hi"), ("assistant", "hello"), ("user", "Q: bye\nA:"))
    assert messages(TASK, BASE, chat) == (*turns(("system", "Own.")), *own)
    assert messages(TASK, replace(BASE, system="V"), chat) == (*turns(("system", "V")), *own)
    assert messages(replace(TASK, system=None), BASE, ASKED, shots=[chat]) == (
        *own,
        *turns(("assistant", "ciao"), ("user", "Q: why {input} {0} {question}?\nA:")),
    )
    unfinished = Sample("d", turns(("user", "hi"), ("assistant", "hello")))
    with pytest.raises(DataError, match="'d' must end with the user's"):
        messages(TASK, BASE, unfinished)


def test_a_completion_is_the_first_target() -> None:
    assert completion(ASKED) == "because"
    with pytest.raises(DataError, match="'e' has no target"):
        messages(TASK, BASE, ASKED, shots=[Sample("e", "x")])


def test_a_fingerprint_is_of_everything_in_the_data() -> None:
    data = Data((ASKED,), (Sample("b", "x"),), (Document("1", "one"),))
    changed = [
        replace(data, eval=(replace(ASKED, targets=("because",)),)),
        replace(data, eval=(replace(ASKED, cluster="c"),)),
        replace(data, train=()),
        replace(data, corpus=(Document("1", "One"),)),
    ]
    prints = {data_fingerprint(d) for d in [data, *changed]}
    assert len(prints) == 5
    assert data_fingerprint(replace(data)) == data_fingerprint(data)
