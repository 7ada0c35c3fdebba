"""Run -> paired arrays -> comparisons."""

from harness.compare.agreement import Agreement, agreements
from harness.compare.aligned import COLUMNS
from harness.compare.attribution import Effect, attribution
from harness.compare.breakeven import BreakEven, break_even
from harness.compare.comparisons import comparisons, summaries
from harness.compare.merged import merge

__all__ = [
    "COLUMNS",
    "Agreement",
    "BreakEven",
    "Effect",
    "agreements",
    "attribution",
    "break_even",
    "comparisons",
    "merge",
    "summaries",
]
