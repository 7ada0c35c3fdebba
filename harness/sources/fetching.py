"""From a reference to a file or folder on this machine."""

from __future__ import annotations

from pathlib import Path

from harness.errors import SourceError
from harness.sources import hub, pypi
from harness.sources.folders import Progress
from harness.sources.reference import Reference, parse


def fetch(
    reference: str | Reference, *, base: Path | None = None, progress: Progress | None = None
) -> Path:
    """The file or folder that ``reference`` names, downloaded and verified where need be.

    Relative paths are resolved against ``base`` (default: the working directory). ``progress``
    is called with a line of text before anything slow. Raises SourceError with the remedy.
    """
    found = parse(reference) if isinstance(reference, str) else reference
    if found.kind == "pypi":
        return pypi.fetch(found, progress)
    if found.kind == "hf":
        return hub.fetch(found, progress)
    path = (base or Path.cwd()) / Path(found.name).expanduser()
    if not path.exists():
        raise SourceError(f"'{found}': there is no {path.absolute()}.")
    return path.absolute()


def fetched(reference: str) -> Path | None:
    """What ``fetch`` would give, where it is on this machine already; asks no network.

    Raises SourceError for a text that is no reference.
    """
    found = parse(reference)
    if found.kind == "path":
        path = Path.cwd() / Path(found.name).expanduser()
        return path if path.exists() else None
    return pypi.fetched(found) if found.kind == "pypi" else hub.fetched(found)
