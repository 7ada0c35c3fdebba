"""What ``harness cache`` finds and does, as JSON objects, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness import sources
from harness.store import cache_prune, cache_survey
from harness.store.cache import NAME, TABLES, Cache
from harness.store.cache_file import today

AGES = (
    (1, "today and yesterday"),
    (7, "2 to 7 days ago"),
    (30, "8 to 30 days ago"),
    (90, "31 to 90 days ago"),
)
WORDS = {
    "responses": "answers and likelihoods",
    "scores": "scores by an encoder or other slow scorer",
    "evidence": "proofs of adapters",
}


def _path() -> Path:
    return sources.cache_dir() / NAME


def shown() -> dict[str, Any]:
    """Raises UsageError where the cache cannot be read."""
    path = _path()
    found = cache_survey.survey(path) if path.exists() else cache_survey.Survey(0, 0, (), 0)
    days: dict[int, dict[str, int]] = {}
    for group in found.groups:
        day = days.setdefault(group.day, {"entries": 0, "bytes": 0})
        day["entries"] += group.entries
        day["bytes"] += group.bytes
    folder = path.parent
    beside = sorted(f for f in folder.iterdir() if f.is_dir()) if folder.is_dir() else []
    return {
        "path": str(path),
        "exists": path.exists(),
        "file_bytes": found.file_bytes,
        "used_bytes": found.used_bytes,
        "limit_bytes": cache_prune.limit(),
        "tables": {t: dict(zip(("entries", "bytes"), found.of(t), strict=True)) for t in TABLES},
        "last_used": [{"day": cache_survey.iso(d), **days[d]} for d in sorted(days, reverse=True)],
        "by_age": _by_age(days),
        "set_aside": {
            "entries": found.set_aside,
            "files": [
                {"name": f.name, "bytes": f.stat().st_size}
                for f in cache_prune.set_aside_files(path)
            ],
        },
        "folders": {f.name: cache_survey.folder_bytes(f) for f in beside},
    }


def _by_age(days: Mapping[int, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for day in sorted(days, reverse=True):
        age = today() - day
        name = next((name for most, name in AGES if age <= most), "longer ago")
        group = found.setdefault(name, {"entries": 0, "bytes": 0})
        group["entries"] += days[day]["entries"]
        group["bytes"] += days[day]["bytes"]
    return found


def print_shown(made: Mapping[str, Any]) -> None:
    most = made["limit_bytes"]
    click.echo(f"cache   {made['path']}{'' if made['exists'] else ' (not there yet)'}")
    click.echo(
        f"size    {size(made['file_bytes'])}, {size(made['used_bytes'])} of it in use; "
        f"limit {'none' if most is None else size(most)}"
    )
    for table, found in made["tables"].items():
        click.echo(f"  {found['entries']:>9,}  {size(found['bytes']):>9}  {WORDS[table]}")
    if made["by_age"]:
        click.echo("last used")
    for name, found in made["by_age"].items():
        click.echo(f"  {found['entries']:>9,}  {size(found['bytes']):>9}  {name}")
    aside = made["set_aside"]
    if aside["entries"] or aside["files"]:
        click.echo("set aside, as damaged ('harness cache prune --damaged' deletes them)")
    if aside["entries"]:
        click.echo(f"  {aside['entries']:>9,}             entries")
    for file in aside["files"]:
        click.echo(f"  {'':9}  {size(file['bytes']):>9}  {file['name']}")
    if made["folders"]:
        click.echo("next to it")
    for name, count in made["folders"].items():
        click.echo(f"  {'':9}  {size(count):>9}  {name}/")


def pruned(
    most: int | None, older_than: int | None, *, damaged: bool, dry_run: bool
) -> dict[str, Any]:
    """Raises UsageError where the cache cannot be read, or written."""
    path = _path()
    if not path.exists():
        return _nothing(path, dry_run)
    since = None if older_than is None else today() - older_than
    before = path.stat().st_size
    aside = cache_survey.survey(path).set_aside if dry_run and damaged else 0
    files = [f.name for f in cache_prune.set_aside_files(path)] if damaged else []
    with Cache.open(path) as cache:
        found = cache.prune(most=most, unused_since=since, dry_run=dry_run)
        if damaged and not dry_run:
            aside, files = cache.drop_set_aside()
    return {
        "path": str(path),
        "dry_run": dry_run,
        "entries": found.entries,
        "bytes": found.bytes,
        "last_used_days_ago": found.days,
        "set_aside": {"entries": aside, "files": files},
        "file_bytes_before": before,
        "file_bytes": path.stat().st_size,
    }


def _nothing(path: Path, dry_run: bool) -> dict[str, Any]:
    return {
        "path": str(path),
        "dry_run": dry_run,
        "entries": dict.fromkeys(TABLES, 0),
        "bytes": 0,
        "last_used_days_ago": None,
        "set_aside": {"entries": 0, "files": []},
        "file_bytes_before": 0,
        "file_bytes": 0,
    }


def print_pruned(made: Mapping[str, Any]) -> None:
    verb = "would delete" if made["dry_run"] else "deleted"
    count = sum(made["entries"].values())
    last = made["last_used_days_ago"]
    used = "" if last is None else f", last used {last} days ago or before"
    click.echo(f"{verb} {count:,} entries of {size(made['bytes'])}{used}")
    aside = made["set_aside"]
    if aside["entries"] or aside["files"]:
        click.echo(
            f"{verb} what was set aside: {aside['entries']:,} entries, files: "
            f"{', '.join(aside['files']) or 'none'}"
        )
    if not made["dry_run"]:
        click.echo(f"file    {size(made['file_bytes_before'])} -> {size(made['file_bytes'])}")


def verified(*, set_aside: bool) -> dict[str, Any]:
    """Raises UsageError where the cache cannot be read at all."""
    path = _path()
    if not path.exists():
        return {"path": str(path), "whole": True, "exists": False}
    found = cache_survey.check(path)
    done = set_aside and not found.whole
    if done and found.structure:
        cache_survey.set_file_aside(path, found)
    elif done:
        with Cache.open(path) as cache:
            for table, keys in found.damaged.items():
                cache.get_many(table, keys)
    return {
        "path": str(path),
        "exists": True,
        "whole": found.whole,
        "entries": found.entries,
        "without_checksum": found.unchecked,
        "damaged": found.damaged,
        "structure": list(found.structure),
        "set_aside": done,
    }


def print_verified(made: Mapping[str, Any]) -> None:
    if not made["exists"]:
        click.echo(f"no cache yet: {made['path']}")
        return
    counts = ", ".join(f"{n:,} {table}" for table, n in made["entries"].items())
    click.echo(f"cache   {made['path']}\nread    {counts}")
    if made["without_checksum"]:
        click.echo(
            f"        {made['without_checksum']:,} of them were written by an older version, "
            "without a checksum: they can only be read, not verified"
        )
    for line in made["structure"]:
        click.echo(f"damaged file: {line}")
    for table, keys in made["damaged"].items():
        click.echo(f"damaged entries in {table}: {len(keys)}")
    if made["whole"]:
        click.echo("whole")
    elif made["set_aside"]:
        click.echo("What was damaged is set aside, and is made again when it is needed.")
    else:
        click.echo(
            "What to do: nothing has to be done, as a run that meets damage sets it aside and "
            "makes it again. 'harness cache verify --set-aside' does so now. A disk or memory "
            "that damages files should be checked."
        )


def size(count: int) -> str:
    """Bytes in the unit that fits, of 1,000 each."""
    number, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"
