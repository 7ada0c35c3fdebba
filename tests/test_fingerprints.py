"""Keys of the cache rest on these hashes: what is the same content has the same one."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import pytest

from harness import fingerprints
from harness.types import Sample, Score, Turn


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2, 3), [1, 2, 3]),
        ([1, "a", None, True, 2.5], [1, "a", None, True, 2.5]),
        ((Colour.RED, Size.BIG, 1), ["red", 3, 1]),
        (((1, 2), [3], ()), [[1, 2], [3], []]),
        ({"b": {3, 1}, "a": (Score(0.5),)}, {"b": [1, 3], "a": [{"value": 0.5, "reason": None}]}),
    ],
)
def test_plain(value, plain) -> None:
    found = fingerprints.plain(value)
    assert found == plain
    assert not any(isinstance(one, (Colour, Size)) for one in found)
    assert fingerprints.of(value) == fingerprints.of(plain)


def test_the_hashes_stay_what_they_are() -> None:
    """Another one would have every answer, and every adapter, made again."""
    sample = Sample("s", "How many?", ("3",), metadata={"n": 3, "tags": ("a", "b")})
    identity = {"prompt": tuple(range(300)), "adapter": None, "sample": sample, "top_p": 0.5}
    expected = "033805fc5d14dbaeb8fe5a3225418684824dff25f2ba17a4efaa9c4ebdf48950"
    assert fingerprints.of(identity) == expected


def test_what_has_no_content_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot fingerprint a object"):
        fingerprints.plain([1, object()])


def test_what_a_type_was_given_later_counts_where_it_is_used() -> None:
    plain = Sample("s", "How many?", ("3",))
    longer = Sample("s", "How many?", ("3",), follow_ups=(Turn("And now?"),))
    assert fingerprints.of(plain) != fingerprints.of(longer)
    assert "follow_ups" not in fingerprints.plain(plain)
