"""A plan on the terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cli._verdict import number, terminal
from harness.gate.plan import chance
from harness.gate.planned import TARGETS, Options, Planned
from harness.gate.truth import Rates
from harness.stats.power import MOST

if TYPE_CHECKING:
    from rich.table import Table

    from harness.store.runs import Run

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Made:
    """A plan, and what it was made of."""

    suite: str
    candidate: str
    rows: Sequence[Planned]
    rates: Rates
    options: Options
    pilot: Run | None

    @property
    def warnings(self) -> list[str]:
        if self.pilot is None:
            return []
        manifest = self.pilot.manifest
        found = [f"the pilot's {name} changed after it was written" for name in self.pilot.tampered]
        if manifest.get("kind") == "run" and manifest.get("suite") != self.suite:
            found.append(f"the pilot is a run of the suite '{manifest.get('suite')}'")
        return found


def print_plan(made: Made) -> None:
    from rich.text import Text

    console = terminal()
    console.print(_table(made.rows, pilot=made.pilot is not None))
    for row in made.rows:
        for sentence in _sentences(row):
            console.print(Text(sentence))
    if any(row.bound is not None for row in made.rows):
        console.print(
            Text(
                "A pilot's estimate is itself uncertain: 'at bound' is the power if the truth is "
                "the pilot's unfavourable bound (one-sided at alpha), not its estimate."
            )
        )
    limits = chance(made.rows)
    if limits is not None:
        low, high = limits
        said = f"{low:.1%}" if low == high else f"between {low:.1%} and {high:.1%}"
        console.print(Text(f"If all this is true, all rules ship with chance {said}."))
    for warning in made.warnings:
        console.print(Text.assemble(("Warning: ", "yellow"), warning))


def _table(rows: Sequence[Planned], *, pilot: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rule", "task", "versus", "needed", "assumed"):
        table.add_column(name, overflow="fold")
    columns = ["n", "power", *(["at bound"] if pilot else []), "smallest"]
    for name in (*columns, *(f"n for {t:.0%}" for t in TARGETS)):
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        where = " ".join(x for x in (row.task, row.slice) if x)
        versus = row.versus or "-"
        cells = [
            _rule(row),
            where,
            f"{versus} ({row.references})" if row.references > 1 else versus,
            _needed(row),
            _assumed(row),
            f"{row.n:,}",
        ]
        style = "" if row.power is None else ("green" if row.power >= TARGETS[0] else "yellow")
        shares = [Text(_share(row.power), style=style)]
        shares += [Text(_share(row.power_at_bound))] if pilot else []
        rest = [_value(row, row.smallest), *(_samples(row, t) for t in TARGETS)]
        # Text, so that a name with square brackets is not read as markup.
        table.add_row(*map(Text, cells), *shares, *map(Text, rest))
    return table


def _rule(row: Planned) -> str:
    return f"{row.metric} {row.role}" + ("" if row.gating else " (advisory)")


def _needed(row: Planned) -> str:
    if row.role == "guardrail":
        return f"{'<=' if row.upper else '>='} {row.threshold:g}"
    return f"> {row.threshold:g}"


def _assumed(row: Planned) -> str:
    return ", ".join(x for x in (_value(row, row.effect), row.assumed) if x)


def _value(row: Planned, value: float | None) -> str:
    if value is None:
        return "-"
    if row.share:
        return f"{value:.1%} within"
    return f"{value:.3g}" if row.role == "guardrail" else number(float(f"{value:.3g}"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _samples(row: Planned, target: float) -> str:
    if row.power is None:
        return "-"
    return "never" if row.never else rounded(row.samples.get(target))


def rounded(n: int | None) -> str:
    """A number of samples as a search by simulation knows it: two digits, upwards."""
    if n is None:
        return f"over {MOST:,}"
    if n <= 50:
        return str(n)
    unit = int(10 ** (math.floor(math.log10(n)) - 1))
    return f"about {-(-n // unit) * unit:,}"


def _sentences(row: Planned) -> Iterator[str]:
    versus = f"best (all {row.references})" if row.references > 1 else row.versus
    where = " ".join(x for x in (row.task, row.slice, versus and f"vs {versus}") if x)
    name = f"{_rule(row)} in {where}"
    if row.power is None:
        yield f"{name}: not planned: {'; '.join(row.notes)}."
        return
    if row.power < TARGETS[0]:
        yield f"{name}: {_short(row)}"
    for note in row.notes:
        yield f"{name}: {note}."


def _short(row: Planned) -> str:
    """Why a row is likely to end without a proof, and what would help."""
    what = "value" if row.role == "guardrail" else "difference"
    true = f"if the true {what} is {_value(row, row.effect)}"
    if row.share:
        true = f"if {row.effect:.1%} of the requests keep the limit"
    if row.never:
        if row.share:
            needed = "a larger share of the requests must keep the limit"
        elif row.role == "guardrail":
            needed = f"the true value must be {'below' if row.upper else 'above'} the limit"
        else:
            needed = f"the true effect must exceed the margin ({row.threshold:+g})"
        return f"{true}, never: {needed}."
    counts = [rounded(row.samples.get(t)) for t in TARGETS]
    unit = "probed samples" if row.share else "samples"
    return (
        f"{row.n:,} {unit} prove it with chance {_share(row.power)} {true}; "
        f"{counts[0]} would with 80%, {counts[1]} with 90%."
    )


def to_dict(made: Made) -> dict[str, Any]:
    """The object that ``plan --json`` writes (docs/planning.md)."""
    options, rates = made.options, made.rates
    pilot = made.pilot
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": made.suite,
        "candidate": made.candidate,
        "pilot": None if pilot is None else str(pilot.path),
        "stated": {
            "discordance": rates.discordance,
            "sd": rates.sd,
            "rate": rates.rate,
            "effect": rates.effect,
        },
        "samples": options.samples,
        "batch": options.batch,
        "seed": options.seed,
        "repetitions": options.repetitions,
        "rules": [_row(row) for row in made.rows],
        "all_ship": chance(made.rows),
        "warnings": made.warnings,
    }


def _row(row: Planned) -> dict[str, Any]:
    return {
        "metric": row.metric,
        "role": row.role,
        "task": row.task,
        "slice": row.slice,
        "versus": row.versus,
        "references": row.references,
        "threshold": row.threshold,
        "alpha": row.alpha,
        "gating": row.gating,
        "assumed": row.assumed,
        "effect": row.effect,
        "bound": row.bound,
        "share_of_requests": row.share,
        "n": row.n,
        "power": row.power,
        "power_at_bound": row.power_at_bound,
        "smallest_effect": row.smallest,
        "never": row.never,
        **{f"samples_{t:.0%}".rstrip("%"): row.samples.get(t) for t in TARGETS},
        "notes": list(row.notes),
    }
