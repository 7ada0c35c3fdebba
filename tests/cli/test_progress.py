"""Progress on a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from harness.cli._progress import KEPT, Terminal


def test_many_stages_do_not_fill_the_screen() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Terminal(console) as progress:
        for number in range(100):
            progress.stage(f"batch {number}", 2)
            progress.advance(2)
        shown = [task.description for task in progress._bar.tasks]
    assert shown == [f"batch {number}" for number in range(100 - KEPT - 1, 100)]


def test_a_log_has_a_line_a_stage() -> None:
    out = io.StringIO()
    with Terminal(Console(file=out, width=100)) as progress:
        progress.stage("answers", 2)
        progress.advance()
        progress.say("look 1: SHIP")
    assert out.getvalue().splitlines() == ["answers", "look 1: SHIP"]
