"""What makes a right answer: one file a scorer.

A file ``name.py`` of this package defines one public frozen dataclass, the scorer that
``resolve("name")`` constructs. A name that cannot be a class with default options is listed in
the file's ``PRESETS``. Nothing else has to be told: the package is looked through. A scorer may
also say, as class attributes:

- ``needs_target = False``: it looks at the prediction alone;
- ``needs_likelihood = True``: it looks at how likely the targets are, and has
  ``score_likelihoods``;
- ``expensive = True``: its scores are worth keeping, under ``fingerprint(scorer)``;
- ``encoder_reference`` and ``with_encoder(encoder)``: it is handed the ``types.Encoder`` of that
  reference, and ``with_encoder`` returns the scorer that has it (``pipeline/wiring.py``);
- ``with_device(device)``: it loads a model itself, and ``with_device`` returns the scorer that
  loads it there;
- ``prepare()``: fetches what it needs, so that a missing encoder is known before a long run.

The decorator ``scorer`` makes a function of a user's own file a scorer (``custom.py``).
"""

from __future__ import annotations

from typing import Any

from harness.scorers._all import (
    check_names,
    fingerprint,
    is_expensive,
    needs_likelihood,
    needs_target,
    prepare,
    score_all,
)
from harness.scorers._find import classes, merged, names, only, resolve
from harness.scorers.custom import scorer

__all__ = [
    "check_names",
    "classes",
    "fingerprint",
    "is_expensive",
    "merged",
    "names",
    "needs_likelihood",
    "needs_target",
    "only",
    "prepare",
    "resolve",
    "score_all",
    "scorer",
]


def __getattr__(name: str) -> Any:
    """The scorers' classes: ``from harness.scorers import ExactMatch``."""
    if not name.startswith("_"):
        for cls in classes().values():
            if cls.__name__ == name:
                return cls
    raise AttributeError(f"module 'harness.scorers' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *(cls.__name__ for cls in classes().values())])
