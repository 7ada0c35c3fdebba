"""Comparisons and rules -> verdict and recommendation."""

from harness.gate.decide import EXIT_CODES, decide, faults, verdict_to_dict
from harness.gate.places import differences

__all__ = ["EXIT_CODES", "decide", "differences", "faults", "verdict_to_dict"]
