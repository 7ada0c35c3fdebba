"""Files of other tools as one run: which variant each is of, and what they hold."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.store import foreign
from harness.store.import_run import Origin, import_scores

_NOT_ROWS = (".json", ".eval", ".html", ".xml", ".yaml", ".yml")
"""Ends of names that are no JSONL rows of ours."""


@dataclass(frozen=True)
class Source:
    """One argument: a path, and the variant that it was said to be of."""

    path: Path
    variant: str | None


def source(argument: str) -> Source:
    """``PATH``, or ``VARIANT=PATH`` where no file has that whole name."""
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).exists():
        return Source(Path(argument), None)
    if not name or not path:
        raise UsageError(f"'{argument}': write VARIANT=PATH, or PATH.")
    return Source(Path(path), name)


def import_all(
    sources: Sequence[Source], out: Path, kind: str | None, *, append: bool, command: list[str]
) -> tuple[Path, list[str]]:
    """The run folder and warnings. Raises DataError, RunError and UsageError; then nothing is
    written."""
    found = [foreign.read(one.path, kind) for one in sources]
    if found == [None] and sources[0].variant is None:
        return _own(sources[0].path, out, append=append, command=command)
    rows: list[Mapping[str, Any]] = []
    for one, read in zip(sources, found, strict=True):
        if read is None:
            raise UsageError(
                f"'{one.path}' is no file of a tool that is known ({_known()}). Rows of the "
                "harness's own JSONL name their variants; import them alone, or with --append."
            )
        rows += _named(one, read.rows)
    _refuse_same(sources, found)
    tools = [read for read in found if read is not None]
    origin = Origin(
        ", ".join(one.path.name for one in sources),
        ", ".join(dict.fromkeys(read.tool for read in tools)),
        ", ".join(dict.fromkeys(str(r.version) for r in tools if r.version)) or None,
        tuple(w for read in tools for w in read.warnings),
    )
    with tempfile.TemporaryDirectory(prefix="harness-import-") as folder:
        made = Path(folder) / "rows.jsonl"
        made.write_bytes(b"".join(_lines(rows)))
        try:
            return import_scores(made, out, append=append, command=command, origin=origin)
        except DataError as error:
            said = str(error).replace(str(made), origin.source)
            raise DataError(said) from error


def _own(path: Path, out: Path, *, append: bool, command: list[str]) -> tuple[Path, list[str]]:
    if path.is_dir() or path.suffix.lower() in _NOT_ROWS:
        raise DataError(
            f"'{path}' is no JSONL, and no file of a tool that is known ({_known()}). Say which "
            "one with --from, or write rows as `harness import --help` shows them."
        )
    return import_scores(path, out, append=append, command=command)


def _known() -> str:
    return ", ".join(foreign.formats())


def _named(one: Source, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if one.variant is None:
        return list(rows)
    held = sorted({str(row["variant"]) for row in rows})
    if len(held) > 1:
        raise UsageError(
            f"'{one.path}' holds {len(held)} variants ({', '.join(held)}), so it cannot be called "
            f"'{one.variant}'. Leave '{one.variant}=' out."
        )
    return [{**row, "variant": one.variant} for row in rows]


def _refuse_same(sources: Sequence[Source], found: Sequence[foreign.Foreign | None]) -> None:
    """Two files that both say they are of one model are of two variants, and we cannot guess."""
    seen: dict[tuple[Any, ...], Source] = {}
    for one, read in zip(sources, found, strict=True):
        for row in read.rows if read is not None else ():
            key = (row.get("task"), row["sample_id"], one.variant or row["variant"])
            other = seen.setdefault(key, one)
            if other is not one:
                raise UsageError(
                    f"'{other.path}' and '{one.path}' both hold variant '{key[2]}', task "
                    f"'{key[0]}', sample '{key[1]}'. Name the variants: harness import "
                    f"first={other.path} second={one.path} …"
                )


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        # Half of a surrogate pair is no text, and another tool may have written one.
        yield text.encode("utf-8", "replace")
