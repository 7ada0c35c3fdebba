"""``harness cache``: look, check, prune."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.store.cache import NAME, Cache
from harness.store.cache_file import today
from harness.store.cache_survey import iso


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """300 answers, 100 of them 40 days old, one score, a source and an adapter."""
    made = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(made))
    with Cache.open(made / NAME) as cache:
        cache.put_many("responses", [(f"k{i}", {"text": f"answer {i} "}) for i in range(300)])
        cache.put("scores", "s", {"bertscore": [0.5, None]})
    sql(made, f"UPDATE responses SET used = {today() - 40} WHERE key LIKE 'k1__'")
    (made / "adapters" / "a").mkdir(parents=True)
    (made / "adapters" / "a" / "weights").write_bytes(b"x" * 5000)
    return made


def sql(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / NAME)) as connection, connection:
        connection.execute(statement)


def damage(folder: Path) -> None:
    """An answer; the structure stays whole."""
    data = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(data.replace(b'"answer 7 "', b'"answer 8 "'))


def destroy(folder: Path) -> None:
    data = bytearray((folder / NAME).read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    (folder / NAME).write_bytes(data)


def as_json(harness_cli, *args: str) -> dict:  # type: ignore[type-arg]
    done = harness_cli("cache", *args, "--json")
    assert done.stderr == ""
    return json.loads(done.stdout) | {"code": done.returncode}


def test_show(folder: Path, harness_cli) -> None:
    made = as_json(harness_cli, "show")
    assert made["code"] == 0
    assert made["path"] == str(folder / NAME)
    assert made["limit_bytes"] == 10_000_000_000
    assert made["tables"]["responses"]["entries"] == 300
    assert made["tables"]["scores"]["entries"] == 1
    by_day = {group["day"]: group["entries"] for group in made["last_used"]}
    assert by_day == {iso(today()): 201, iso(today() - 40): 100}
    assert made["folders"] == {"adapters": 5000}
    text = harness_cli("cache", "show").stdout
    assert "100" in next(line for line in text.splitlines() if "31 to 90 days ago" in line)
    assert "5.0 KB  adapters/" in text
    assert "set aside" not in text


def test_without_a_cache(tmp_path: Path, harness_cli) -> None:
    env = {"HARNESS_CACHE": str(tmp_path / "nowhere")}
    for args in (["show"], ["verify"], ["prune", "--older-than", "1"], ["prune", "--damaged"]):
        done = harness_cli("cache", *args, env=env)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "nowhere").exists(), "looking makes nothing"


def test_verify_a_whole_cache(folder: Path, harness_cli) -> None:
    before = (folder / NAME).read_bytes()
    made = as_json(harness_cli, "verify")
    assert made["code"] == 0
    assert made["whole"] is True
    assert made["entries"] == {"responses": 300, "scores": 1, "evidence": 0}
    assert (folder / NAME).read_bytes() == before


@pytest.mark.parametrize(("how", "least"), [(damage, 299), (destroy, 50)])
def test_verify_a_damaged_one(folder: Path, harness_cli, how, least: int) -> None:
    how(folder)
    before = (folder / NAME).read_bytes()
    found = harness_cli("cache", "verify")
    assert found.returncode == 2
    assert "What to do" in found.stdout
    assert (folder / NAME).read_bytes() == before, "looking changes nothing"
    aside = harness_cli("cache", "verify", "--set-aside")
    assert aside.returncode == 2
    assert "is set aside" in aside.stdout
    again = as_json(harness_cli, "verify")
    assert again["code"] == 0
    assert least <= again["entries"]["responses"] <= 300
    shown = as_json(harness_cli, "show")["set_aside"]
    assert (shown["entries"], len(shown["files"])) == ((1, 0) if how is damage else (0, 1))
    assert "'harness cache prune --damaged'" in harness_cli("cache", "show").stdout
    harness_cli("cache", "prune", "--damaged", "--dry-run")
    assert as_json(harness_cli, "show")["set_aside"] == shown
    gone = as_json(harness_cli, "prune", "--damaged")
    assert (gone["set_aside"]["entries"], len(gone["set_aside"]["files"])) == (
        shown["entries"],
        len(shown["files"]),
    )
    assert as_json(harness_cli, "show")["set_aside"] == {"entries": 0, "files": []}


def test_show_of_a_destroyed_cache_says_what_to_do(folder: Path, harness_cli) -> None:
    (folder / NAME).write_bytes(b"no database" * 1000)
    done = harness_cli("cache", "show")
    assert done.returncode == 2
    assert "harness cache verify --set-aside" in done.stderr


def test_prune(folder: Path, harness_cli) -> None:
    dry = as_json(harness_cli, "prune", "--older-than", "39", "--dry-run")
    assert (dry["entries"]["responses"], dry["last_used_days_ago"]) == (100, 40)
    assert as_json(harness_cli, "show")["tables"]["responses"]["entries"] == 300
    done = harness_cli("cache", "prune", "--older-than", "39")
    assert done.returncode == 0
    assert "deleted 100 entries" in done.stdout
    assert as_json(harness_cli, "prune", "--older-than", "39")["entries"]["responses"] == 0
    assert as_json(harness_cli, "prune", "--max-size", "0")["entries"]["responses"] == 200
    assert (folder / "adapters" / "a" / "weights").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["prune"], "--max-size SIZE, --older-than DAYS or --damaged"),
        (["prune", "--max-size", "much"], "--max-size must be a size such as 10GB"),
        (["prune", "--older-than", "-1"], "--older-than"),
        (["prun"], "prun"),
    ],
)
def test_wrong_usage_exits_2(folder: Path, harness_cli, args: list[str], says: str) -> None:
    done = harness_cli("cache", *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
