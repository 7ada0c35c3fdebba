"""Run -> paired arrays -> comparisons."""

from harness.compare.aligned import COLUMNS
from harness.compare.comparisons import comparisons, summaries
from harness.compare.merged import merge

__all__ = ["COLUMNS", "comparisons", "merge", "summaries"]
