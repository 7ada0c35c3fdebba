"""``harness cache``: what the cache holds, whether it is whole, and how to make it smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.cli._json_option import json_option


@click.group()
def command() -> None:
    """Look at, check and prune the cache of answers, scores and proofs.

    It is in the folder HARNESS_CACHE, or the user's cache folder. docs/cache.md says what is kept
    and for how long.
    """


@command.command()
@json_option
def show(json_file: str | None) -> int:
    """What the cache holds, by table and by the day of its last use, and what lies next to it."""
    from harness.cli._cache import print_shown, shown

    _tell(shown(), json_file, print_shown)
    return 0


@command.command()
@click.option(
    "--max-size",
    metavar="SIZE",
    help="Delete the least recently used entries until so much is in use, such as 500MB or 2GB.",
)
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Delete what was last used more than so many days ago.",
)
@click.option("--damaged", is_flag=True, help="Delete what was set aside because it was damaged.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@json_option
def prune(
    max_size: str | None,
    older_than: int | None,
    damaged: bool,
    dry_run: bool,
    json_file: str | None,
) -> int:
    """Delete the least recently used entries; the file shrinks.

    Other processes may use the cache meanwhile. What is deleted is made again when it is needed.
    """
    from harness.cli._cache import print_pruned, pruned
    from harness.errors import UsageError
    from harness.store.cache_prune import parse_bytes

    if max_size is None and older_than is None and not damaged:
        raise UsageError("Say what may go: --max-size SIZE, --older-than DAYS or --damaged.")
    most = None if max_size is None else parse_bytes(max_size, "--max-size")
    made = pruned(most, older_than, damaged=damaged, dry_run=dry_run)
    _tell(made, json_file, print_pruned)
    return 0


@command.command()
@click.option(
    "--set-aside",
    is_flag=True,
    help="Set what is damaged aside now, so that it is made again when it is needed.",
)
@json_option
def verify(set_aside: bool, json_file: str | None) -> int:
    """Read all of the cache: the file's structure, and every entry against its checksum.

    Exit codes: 0 whole (or no cache yet), 2 damaged.
    """
    from harness.cli._cache import print_verified, verified

    made = verified(set_aside=set_aside)
    _tell(made, json_file, print_verified)
    return 0 if made["whole"] else 2


def _tell(made: dict[str, Any], json_file: str | None, show: Callable[[Any], None]) -> None:
    from harness.cli._files import write_json

    if json_file is not None:
        write_json({"schema_version": 1, **made}, json_file)
    if json_file != "-":
        show(made)
