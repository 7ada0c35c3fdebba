"""``harness ARGUMENTS…`` in a process of its own, with an engine that needs no model.

It gives its answers in bursts, as from batches, and takes its time for each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripted import Scripted

from harness.cli import main
from harness.pipeline.session import Session
from harness.types import Completion, Request

BURST = 10


class Bursts(Scripted):
    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for start in range(0, len(requests), BURST):
            time.sleep(0.01)
            yield from list(super().complete(requests[start : start + BURST]))


def engine(session: Session, variant):
    made = Bursts(Path.cwd())
    return session.engines.setdefault((variant.model, variant.precision), made)


if __name__ == "__main__":
    Session.engine = engine  # type: ignore[method-assign]
    main(sys.argv[1:])
