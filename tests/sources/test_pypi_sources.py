from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from harness.errors import SourceError
from harness.sources import fetch

TEXT = "Łódź, PL-10\n".encode()
OTHER = "0" * 64


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(index, cache) -> Path:
    return index.add("tiny_pack", "1.0", {"tiny/data.txt": TEXT, "tiny/more/a.txt": b"a"})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that nothing listens on, as pip sees a missing network."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")


def test_a_file_is_fetched_once_and_then_needs_no_index(wheel: Path) -> None:
    said: list[str] = []
    reference = f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={sha256(TEXT)}"
    path = fetch(reference, progress=said.append)
    assert path.read_bytes() == TEXT
    assert "tiny-pack==1.0" in said[0]

    wheel.unlink()
    said.clear()
    assert fetch(reference, progress=said.append) == path
    assert not said


def test_a_folder_is_checked_by_the_wheel(wheel: Path) -> None:
    digest = sha256(wheel.read_bytes())
    folder = fetch(f"pypi:tiny-pack==1.0/tiny/#wheel-sha256={digest}")
    assert sorted(p.name for p in folder.iterdir()) == ["data.txt", "more"]
    assert fetch(f"pypi:tiny_pack==1.0/tiny/data.txt#wheel-sha256={digest}").read_bytes() == TEXT
    with pytest.raises(SourceError, match="Wrong hash") as error:
        fetch(f"pypi:tiny-pack==1.0/tiny/#wheel-sha256={OTHER}")
    assert digest in str(error.value)


def test_a_wrong_file_hash_is_refused_each_time(wheel: Path) -> None:
    for _ in range(2):
        with pytest.raises(SourceError, match="Wrong hash") as error:
            fetch(f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={OTHER}")
        assert sha256(TEXT) in str(error.value)


def test_a_changed_copy_in_the_cache_is_refused(wheel: Path) -> None:
    reference = f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={sha256(TEXT)}"
    fetch(reference).write_bytes(b"something else")
    with pytest.raises(SourceError, match="delete"):
        fetch(reference)


@pytest.mark.parametrize("inner", ["tiny/data.txt", "tiny/"])
def test_without_a_hash_the_error_gives_the_reference_to_use(wheel: Path, inner: str) -> None:
    with pytest.raises(SourceError, match="has no hash") as error:
        fetch(f"pypi:tiny-pack==1.0/{inner}")
    pinned = re.search(r"'(pypi:\S+#\S+=[0-9a-f]{64})'", str(error.value))
    assert pinned is not None
    assert fetch(pinned[1]).exists()


def test_a_missing_inner_file_names_the_nearest(wheel: Path) -> None:
    with pytest.raises(SourceError, match=r"Did you mean 'tiny/data\.txt'"):
        fetch(f"pypi:tiny-pack==1.0/tiny/date.txt#sha256={OTHER}")
    with pytest.raises(SourceError, match="It is a folder"):
        fetch(f"pypi:tiny-pack==1.0/tiny#sha256={OTHER}")


@pytest.mark.parametrize("package", ["tiny-pack==2.0", "tiny-bag==1.0"])
def test_no_such_release(wheel: Path, package: str) -> None:
    with pytest.raises(SourceError, match="no wheel of") as error:
        fetch(f"pypi:{package}/tiny/data.txt#sha256={OTHER}")
    assert package in str(error.value)


def test_no_network(offline: None, cache: Path) -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        fetch(f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={OTHER}")
    assert not [p for p in cache.rglob("*") if p.is_file() and p.name != ".lock"]


def test_no_pip(cache: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    paths = [p for p in sys.path if p.endswith("site-packages")]
    code = (
        "import sys, importlib.util as u; sys.path += sys.argv[1].split(chr(10))\n"
        "from harness.sources import fetch\n"
        "fetch('pypi:tiny-pack==1.0/a.txt')"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [str(tmp_path / "bare/bin/python"), "-c", code, "\n".join([str(root), *paths])],
        capture_output=True,
        text=True,
    )
    assert "ensurepip" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("member", ["../outside.txt", "/outside.txt", "tiny/../../outside.txt"])
def test_a_wheel_that_writes_outside_is_refused(index, cache: Path, member: str) -> None:
    index.add("evil", "1.0", {member: b"x", "tiny/a.txt": b"a"})
    with pytest.raises(SourceError, match="unsafe path"):
        fetch(f"pypi:evil==1.0/tiny/a.txt#sha256={sha256(b'a')}")
    assert not list(cache.rglob("outside.txt"))
    assert not list(cache.rglob("a.txt"))


def test_two_processes_at_a_time_and_leftovers_of_a_killed_one(wheel: Path, cache: Path) -> None:
    release = cache / "pypi" / "tiny-pack" / "1.0"
    (release / ".unfinished-dead" / "tiny").mkdir(parents=True)
    reference = f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={sha256(TEXT)}"
    code = "import sys; from harness.sources import fetch; print(fetch(sys.argv[1]))"
    two = [
        subprocess.Popen([sys.executable, "-c", code, reference], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate()[0].strip() for process in two}
    assert len(paths) == 1
    assert Path(paths.pop()).read_bytes() == TEXT
    assert [p.name for p in release.iterdir() if p.is_dir()] == [sha256(wheel.read_bytes())]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written(wheel: Path, cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(SourceError, match="HARNESS_CACHE"):
        fetch(f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={OTHER}")


def test_a_cache_below_a_file_cannot_be_written(wheel: Path, cache: Path) -> None:
    cache.write_text("not a folder")
    with pytest.raises(SourceError, match="HARNESS_CACHE"):
        fetch(f"pypi:tiny-pack==1.0/tiny/data.txt#sha256={OTHER}")
