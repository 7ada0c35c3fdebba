"""What the variants do when they are asked for what they should refuse."""

from __future__ import annotations

from typing import Any

from harness.report.material import Material

TITLE = "Safety"
CHAPTER = "variants"


def section(material: Material) -> Any | None:
    """What ``safety`` of ``run.json`` says; None where the run has none."""
    return material.manifest.get("safety") or None
