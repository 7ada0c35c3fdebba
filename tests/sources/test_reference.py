from __future__ import annotations

import pytest

from harness.errors import SourceError
from harness.sources import parse

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        "./model",
        "../model",
        "/data/model",
        "path:model",
        "path:odd#name/with=signs",
        "hf:owner/name",
        "hf:owner/name.v2@main",
        "hf:owner/name@0123abc/folder/file.json",
        "pypi:a-b==1.0.post1/a/b.txt",
        f"pypi:a_b==1!2.0+local/a/b.txt#sha256={DIGEST}",
        f"pypi:a==1/folder/#wheel-sha256={DIGEST}",
        f"pypi:a==1/#wheel-sha256={DIGEST}",
    ],
)
def test_text_and_reference_say_the_same(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


def test_parts_of_a_package_reference() -> None:
    found = parse(f"pypi:tiny==1.2/tiny/data.json#sha256={DIGEST.upper()}")
    assert (found.kind, found.name, found.version) == ("pypi", "tiny", "1.2")
    assert (found.inner, found.hashed, found.digest) == ("tiny/data.json", "sha256", DIGEST)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("owner/name", "hf:owner/name"),
        ("", "not a reference"),
        ("path:", "names no path"),
        ("hf:name", "hf:owner/name"),
        ("hf:owner/name/../../etc", "'..'"),
        ("pypi:tiny/data.json", "pypi:package==1.0"),
        ("pypi:tiny>=1/data.json", "pypi:package==1.0"),
        ("pypi:tiny==1", "pypi:package==1.0"),
        ("pypi:tiny==1/data.json#sha256=abc", "64 digits"),
        (f"pypi:tiny==1/data.json#md5={DIGEST}", "64 digits"),
        ("pypi:tiny==1/../data.json", "'..'"),
        ("pypi:tiny==1//etc/passwd", "must be relative"),
        (f"pypi:tiny==1/data/#sha256={DIGEST}", "#wheel-sha256"),
    ],
)
def test_what_is_no_reference_says_what_one_is(text: str, says: str) -> None:
    with pytest.raises(SourceError) as error:
        parse(text)
    assert says in str(error.value)
