"""What the gate found when it held itself to its own promise, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.gate import Checked, joint_power

if TYPE_CHECKING:
    from rich.table import Table


def print_self_check(checked: Sequence[Checked]) -> None:
    from rich.text import Text

    from harness.cli._verdict import terminal

    console = terminal()
    console.print(Text("\nself-check: samples drawn again from this run's data", style="bold"))
    console.print(_table(checked))
    limits = joint_power(checked)
    if limits is not None:
        low, high = limits
        chance = f"{low:.1%}" if low == high else f"between {low:.1%} and {high:.1%}"
        console.print(Text(f"If the data are what they are, all rules ship with chance {chance}."))


def _table(checked: Sequence[Checked]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rule", "task", "versus"):
        table.add_column(name, overflow="fold")
    for name in ("alpha", "false SHIP", "power"):
        table.add_column(name, justify="right")
    table.add_column("drawn", overflow="fold")
    for one in checked:
        row = one.row
        where = " ".join(x for x in (row.task, row.slice) if x)
        rule = f"{row.metric} {row.role}" + ("" if row.gating else " (advisory)")
        cells = (rule, where or "-", row.versus or "-", f"{row.alpha:g}")
        false = Text(_share(one.false_ship), style="red" if one.holds is False else "")
        drawn = f"{one.note}, {one.repetitions:,} times" if one.repetitions else one.note
        table.add_row(*(Text(c) for c in cells), false, Text(_share(one.power)), Text(drawn))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def self_check_to_dict(checked: Sequence[Checked]) -> list[dict[str, Any]]:
    return [
        {
            "metric": c.row.metric,
            "role": c.row.role,
            "task": c.row.task,
            "slice": c.row.slice,
            "versus": c.row.versus,
            "alpha": c.row.alpha,
            "false_ship": c.false_ship,
            "false_ship_error": c.error,
            "holds": c.holds,
            "power": c.power,
            "repetitions": c.repetitions,
            "note": c.note,
        }
        for c in checked
    ]
