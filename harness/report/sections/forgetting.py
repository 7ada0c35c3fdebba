"""What the adapter has lost of what its base could do."""

from __future__ import annotations

from typing import Any

from harness.report.material import Material

TITLE = "Forgetting"
CHAPTER = "variants"


def section(material: Material) -> Any | None:
    """What ``forgetting`` of ``run.json`` says; None where the run has none."""
    return material.manifest.get("forgetting") or None
