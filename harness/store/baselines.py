"""Blessed runs, ``baselines/<name>/run`` and a summary beside it. Nothing else writes there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness.errors import RunError
from harness.store.files import write_whole
from harness.store.runs import move_into_place, read_run

FOLDER = Path("baselines")
"""In the working folder, as ``runs`` is."""
RUN = "run"
SUMMARY = "summary.md"


def baseline(name: str) -> Path:
    """Where the blessed run of this name is, or would be."""
    return FOLDER / name / RUN


def bless(run: Path, name: str, summary: str) -> Path:
    """Copy the run folder whole to ``baseline(name)``, in place of an earlier one.

    Raises RunError where it cannot be written, and where the run changes meanwhile.
    """
    place = baseline(name).absolute()
    staging = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{RUN}.", suffix=".tmp", dir=place.parent))
        shutil.copytree(run, staging, dirs_exist_ok=True)
        if changed := read_run(staging, columns=()).tampered:
            raise RunError(f"'{run}': {', '.join(changed)} changed while it was copied. Try again.")
        move_into_place(staging, place, replace=True)
    except OSError as error:
        raise RunError(
            f"Cannot write the baseline '{place}': {error.strerror or error}. Free some space or "
            "correct the permissions."
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
    write_whole(place.with_name(SUMMARY), summary.encode("utf-8", "backslashreplace"))
    return place
