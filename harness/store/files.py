"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.errors import UsageError


def write_whole(path: Path, data: bytes, *, parents: bool = False) -> None:
    """Write ``data`` to ``path``: a reader finds the old file or the new one, never half of one.

    ``parents``: make the folders that are missing. Raises UsageError where it cannot be written.
    """
    staging: str | None = None
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, staging = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        # mkstemp gives 0600, which would hide the file from the next job's user.
        os.chmod(staging, 0o666 & ~mask)
        os.replace(staging, path)
    except OSError as error:
        if staging is not None:
            Path(staging).unlink(missing_ok=True)
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}.") from error
