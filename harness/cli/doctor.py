"""``harness doctor``: what this machine can do, and what is missing."""

from __future__ import annotations

import click

from harness.cli._json_option import json_option


@click.command()
@click.option("--offline", is_flag=True, help="Look at nothing beyond this machine.")
@click.option("--no-torch", is_flag=True, help="Do not load torch: devices are not looked at.")
@json_option
def command(offline: bool, no_torch: bool, json_file: str | None) -> int:
    """What this machine can do (devices, memory, precisions, threads, reach of hub and package
    index), and the remedy for what is missing.

    Exit codes: 0, also where something is missing; 2 wrong usage.
    """
    from dataclasses import asdict

    from harness.cli._doctor import examine
    from harness.cli._files import write_json
    from harness.cli._verdict import terminal

    console = terminal()
    found = []
    for finding in examine(offline=offline, load=not no_torch):
        found.append(finding)
        if json_file != "-":
            style = {"ok": "green", "note": "yellow", "missing": "red"}[finding.state]
            console.print(f"{finding.state:8}", style=style, end="")
            console.print(f"{finding.name:16} {finding.detail}", markup=False)
            if finding.remedy is not None:
                console.print(f"{'':24} -> {finding.remedy}", markup=False)
    if json_file is not None:
        write_json({"schema_version": 1, "findings": [asdict(f) for f in found]}, json_file)
    return 0
