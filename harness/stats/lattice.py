"""Values on a few steps: their mean moves in steps, and Student's t takes it for continuous."""

from __future__ import annotations

import numpy as np

from harness.stats.mean import Floats

MOST = 16
"""With more distinct values than this the steps are too fine to matter."""


def half_step(values: Floats) -> float:
    """Half the least distance of two distinct ``values``; 0 where they are many, or one.

    A bound of the sum is moved outwards by it, the usual continuity correction (Feller 1968, "An
    Introduction to Probability Theory", VII.3). Without it Student's t errs at up to 0.056 where
    1 in 10 of 500 samples is lost and all others tie.
    """
    flat = values.ravel()
    # Rounded, as 0.1 + 0.2 and 0.3 are no step apart; a glance saves sorting all of many values.
    if len(np.unique(np.round(flat[: 64 * MOST], 9))) > MOST:
        return 0.0
    distinct = np.unique(np.round(flat, 9))
    return 0.0 if not 2 <= len(distinct) <= MOST else float(np.diff(distinct).min()) / 2
