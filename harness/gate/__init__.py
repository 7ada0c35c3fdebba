"""Comparisons and rules -> verdict and recommendation."""

from harness.gate.decide import EXIT_CODES, decide, faults, verdict_to_dict
from harness.gate.places import differences
from harness.gate.selfcheck import Checked, joint_power, self_check

__all__ = [
    "EXIT_CODES",
    "Checked",
    "decide",
    "differences",
    "faults",
    "joint_power",
    "self_check",
    "verdict_to_dict",
]
