"""How often the gate ships what is not good enough: the promise of docs/statistics.md, simulated.

python benchmarks/false_ship.py [--quick] [--only SECTION]... [--seed N]
                                [--write docs/simulation.md] [--others PYTHON]

Every case stands on the boundary of its null hypothesis, where SHIP is just false and most
likely. Binary pairs are summed exactly; the rest is drawn. Exits 1 where a cell is above its
limit by more than 3 standard errors. ``--others``: the Python of an environment that has evalsig,
evalproof and deltagate.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import section_binary
import section_drawn
import section_independent
import section_streams
import section_tools
from simulation_cells import Cell, Options, write_section

SECTIONS: dict[str, Callable[[Options], tuple[list[Cell], str]]] = {
    "binary": section_binary.size,
    "bounded": section_drawn.bounded,
    "unbounded": section_drawn.unbounded,
    "clustered": section_drawn.clustered,
    "sequential": section_streams.size,
    "independent": section_independent.size,
    "power-binary": section_binary.power,
    "power-bounded": section_drawn.power,
    "power-sequential": section_streams.power,
    "tools": section_tools.compare,
}


def main() -> int:
    args = _arguments()
    options = Options(args.seed, args.quick, args.others)
    chosen = args.only or [s for s in SECTIONS if s != "tools" or args.others]
    broken: list[Cell] = []
    for name in chosen:
        start = time.perf_counter()
        cells, body = SECTIONS[name](options)
        broken += [c for c in cells if c.broken]
        print(f"\n## {name} ({time.perf_counter() - start:.0f} s)\n\n{body}", flush=True)
        if args.write:
            write_section(args.write, name, body)
    for c in broken:
        drawn = f" of {c.repetitions}" if c.repetitions else ""
        print(
            f"above its limit: {c.table}; {c.case}; {c.column}: "
            f"{100 * c.rate:.2f}%{drawn}, limit {100 * (c.limit or 0):.2f}%",
            file=sys.stderr,
        )
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Simulate the gate on the boundary of its nulls.")
    parser.add_argument("--quick", action="store_true", help="a fortieth of the repetitions")
    parser.add_argument("--only", action="append", choices=sorted(SECTIONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="Markdown file whose marked sections to fill")
    parser.add_argument("--others", type=Path, help="Python of the other tools' environment")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
