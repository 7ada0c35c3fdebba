"""The sections of a report that stand on their own, one file each.

A section is a module with ``TITLE``, ``CHAPTER`` and ``section(material)``, which gives what its
template (``templates/sections/<name>.html.j2``) shows as ``content``, or None where the run has
nothing to show. To add one, add the two files and its name to ``ORDER``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from harness.report.material import Material

ORDER = (
    "deciding",
    "frontier",
    "slices",
    "retrieval",
    "judges",
    "forgetting",
    "safety",
    "compared",
    "audit",
)
"""As they stand in the report."""


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    chapter: str
    """``verdict``, ``variants``, ``compare`` or ``trust``."""
    content: Any

    @property
    def template(self) -> str:
        return f"sections/{self.id}.html.j2"


def sections(material: Material) -> list[Section]:
    found = []
    for name in ORDER:
        module = import_module(f"harness.report.sections.{name}")
        content = module.section(material)
        if content is not None:
            found.append(Section(name, module.TITLE, module.CHAPTER, content))
    return found
