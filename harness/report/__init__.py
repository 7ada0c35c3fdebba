"""Verdict and run -> one self-contained HTML file that opens from disk."""

from harness.report.page import render
from harness.report.write import default_path, write_report

__all__ = ["default_path", "render", "write_report"]
