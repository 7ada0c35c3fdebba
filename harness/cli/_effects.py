"""Attribution, break-even and agreement on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.cli._verdict import interval, number, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from harness.compare import Agreement, BreakEven, Effect

CURRENCIES = {"money": "money", "compute_s": "seconds of compute"}


def print_effects(effects: Sequence[Effect]) -> None:
    """What each part adds, and below it what else is in the effects. Nothing for none."""
    from rich.text import Text

    if not effects:
        return
    levels = ", ".join(sorted({f"{e.ci_level:.3g}" for e in effects}))
    table = _table(
        "What each part adds",
        ("task", "metric", "effect", "variants"),
        ("difference", f"interval ({levels})", "n", "unscored"),
    )
    for e in effects:
        cells = (e.task, e.metric, e.name, _formula(e.variants), number(e.estimate))
        rest = (interval(e.ci_low, e.ci_high), f"{e.n:,}", f"{e.n_unscored:,}", e.method)
        table.add_row(*(Text(cell) for cell in (*cells, *rest)))
    console = terminal()
    console.print()
    console.print(table)
    for note in _once((e.name, e.note) for e in effects if e.note):
        console.print(Text(note))


def _formula(variants: Sequence[str]) -> str:
    signs = (" - ",) if len(variants) == 2 else (" - ", " - ", " + ")
    return variants[0] + "".join(f"{s}{v}" for s, v in zip(signs, variants[1:], strict=True))


def _once(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Each note once, after the effects that it is about."""
    found: dict[str, list[str]] = {}
    for name, note in notes:
        for part in note.split("; "):
            found.setdefault(part, [])
            if name not in found[part]:
                found[part].append(name)
    return [f"Note ({', '.join(names)}): {note}." for note, names in found.items()]


def print_break_even(rows: Sequence[BreakEven]) -> None:
    """When training has paid for itself. Nothing for no rows."""
    from rich.text import Text

    if not rows:
        return
    table = _table(
        "When training has paid for itself, if the answers are as good",
        ("variant", "against", "in"),
        ("spent", "saved a request", "requests", f"interval ({rows[0].ci_level:.3g})", "n"),
        last="why",
    )
    for b in rows:
        requests = b.requests if isinstance(b.requests, str) else _count(b.requests, "not known")
        cells = (b.candidate, b.versus, CURRENCIES[b.currency], _plain(b.fixed), number(b.saving))
        table.add_row(*(Text(c) for c in (*cells, requests, _range(b), f"{b.n:,}", b.reason)))
    console = terminal()
    console.print()
    console.print(table)


def print_agreements(rows: Sequence[Agreement]) -> None:
    """How far served variants answer as their twins in process. Nothing for no rows."""
    from rich.text import Text

    if not rows:
        return
    table = _table(
        "Answers on a server and of the same variant in process",
        ("task", "served", "in process"),
        ("n", "identical", "shared beginning"),
        last="mean score, served - in process",
    )
    for a in rows:
        same = f"{a.identical:,} ({a.identical / a.n:.1%})" if a.n else "-"
        shared = "-" if a.shared is None else f"{a.shared:.1%}"
        scores = ", ".join(f"{metric} {value:+.4g}" for metric, value in a.differences.items())
        cells = (a.task, a.served, a.local, f"{a.n:,}", same, shared, scores)
        table.add_row(*(Text(cell) for cell in cells))
    console = terminal()
    console.print()
    console.print(table)


def _count(value: int | None, none: str) -> str:
    return none if value is None else f"{value:,}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _range(b: BreakEven) -> str:
    if b.requests_low is None and b.requests_high is None:
        return "-"
    return f"{_count(b.requests_low, '-')} to {_count(b.requests_high, 'no end')}"


def _table(title: str, left: Sequence[str], right: Sequence[str], last: str = "method") -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column(last, overflow="fold")
    return table
