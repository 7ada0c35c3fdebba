from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SourceError
from harness.sources import fetch


def test_relative_paths_start_at_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("here")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert fetch("./a.txt", base=tmp_path).read_text() == "here"
    assert fetch("../a.txt").read_text() == "here"
    assert fetch(str(tmp_path / "a.txt"), base=Path("/nowhere")).read_text() == "here"
    assert fetch("path:below", base=tmp_path).is_dir()


def test_a_missing_path_is_shown_in_full(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        fetch("./b.txt", base=tmp_path)
    assert str(tmp_path / "b.txt") in str(error.value)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "weights.PT", "data.pkl"])
def test_pickles_are_refused_before_anything_is_fetched(file: str) -> None:
    with pytest.raises(SourceError, match="pickle"):
        fetch(f"hf:owner/name/{file}")


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs extra 'local'")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for reference in ("hf:shipworthy/none", "hf:shipworthy/none@main/config.json"):
        with pytest.raises(SourceError, match="cannot be reached"):
            fetch(reference)
