"""What was found in the data before anything was measured."""

from __future__ import annotations

from typing import Any

from harness.report.material import Material

TITLE = "Data audit"
CHAPTER = "trust"


def section(material: Material) -> Any | None:
    """What ``audit`` of ``run.json`` says; None where the run has none."""
    return material.manifest.get("audit") or None
