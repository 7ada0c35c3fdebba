"""What an item ends as, and the small table that it shows instead of a traceback."""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import RuleResult, Status

_MARK = {
    Status.HOLD: ("failed", "F", "HOLD"),
    Status.INCONCLUSIVE: ("inconclusive", "?", "INCONCLUSIVE"),
    Status.INVALID: ("invalid", "!", "INVALID"),
}


class Ruled(Exception):
    """A rule or check that did not pass: its status, and all there is to say about it."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def first(self) -> str:
        """The first line: enough for a skip's reason."""
        return str(self).partition("\n")[0]


def marks(status: str) -> tuple[str, str, str]:
    """pytest's category, letter and word of a failed item with this status."""
    return _MARK[Status(status)]


def worst(rows: Sequence[RuleResult]) -> Status:
    """The status of an item that stands for these rows; none: nothing was proved."""
    order = list(Status)
    return min((row.status for row in rows), key=order.index, default=Status.INVALID)


def ruling_text(title: str, rows: Sequence[RuleResult]) -> str:
    """Status and title, a table with a line for each reference and slice, and the reasons."""
    status = worst(rows)
    lines = [f"{status.value}: {title}", "", *_table(rows), ""]
    lines += [_reason(row) for row in rows if row.status is not Status.SHIP]
    return "\n".join(lines).rstrip()


def _table(rows: Sequence[RuleResult]) -> list[str]:
    from harness.cli._verdict import interval, number

    levels = ", ".join(sorted({f"{row.ci_level:.3g}" for row in rows}))
    head = ("status", "task", "versus", "estimate", f"interval ({levels})", "n", "unscored")
    cells = [
        (
            row.status.value,
            " ".join(x for x in (row.task, row.slice) if x) or "-",
            row.versus or "-",
            number(row.estimate),
            interval(row.ci_low, row.ci_high),
            f"{row.n:,}",
            f"{row.n_unscored:,}",
        )
        for row in rows
    ]
    return aligned([head, *cells], left=3)


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Rows in columns, the first ``left`` of them flush left and the others flush right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(w) if i < left else text.rjust(w)
            for i, (text, w) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    ]


def _reason(row: RuleResult) -> str:
    where = " ".join(x for x in (row.slice, row.versus and f"vs {row.versus}") if x)
    text = f"{row.status.value}{' ' + where if where else ''}: {row.reason}."
    if row.more_samples is not None:
        text += f" About {row.more_samples:,} more samples would decide."
    return text
