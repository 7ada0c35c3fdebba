"""``harness train``: the adapters of a suite, without evaluating them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.cli._device import device as device_option
from harness.cli._json_option import json_option


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--variant", "variants", multiple=True, metavar="V", help="Only these variants.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the data splits.")
@device_option
@json_option
def command(
    suite: Path, variants: tuple[str, ...], seed: int, device: str, json_file: str | None
) -> None:
    """Train the adapters of SUITE; one that exists for the same ingredients is kept."""
    from harness import pipeline, scorers
    from harness.cli._files import write_json
    from harness.cli._progress import Terminal
    from harness.suites import load_suite

    loaded = load_suite(suite, check_scorer=scorers.resolve)
    settings = pipeline.Settings(variants=variants, seed=seed, device=device)
    with Terminal() as progress:
        found = pipeline.train(loaded, settings, progress)
    if json_file is not None:
        made = {
            name: {"folder": str(one.folder), "sha256": one.sha256, "card": one.card}
            for name, one in found.items()
        }
        write_json({"schema_version": 1, "adapters": made}, json_file)
    if json_file == "-":
        return
    for name, adapter in found.items():
        click.echo(f"{name}: {adapter.folder}\n  sha256 {adapter.sha256}{_training(adapter.card)}")


def _training(card: Mapping[str, Any]) -> str:
    """How it was trained; nothing of an adapter that was trained elsewhere, without a card."""
    if not card.get("loss"):
        return ""
    first, last = card["loss"][0][1], card["loss"][-1][1]
    return f", {card['steps']} steps in {card['seconds']} s, loss {first:.3f} -> {last:.3f}"
