"""The cache folder on disk: where it is, and how something enters it whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import platformdirs

from harness.errors import SourceError

Progress = Callable[[str], None]
UNFINISHED = ".unfinished-"


def cache_dir() -> Path:
    """``$HARNESS_CACHE``, or the user's cache folder for ``shipworthy``. Need not exist yet."""
    chosen = os.environ.get("HARNESS_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("shipworthy", appauthor=False)


@contextmanager
def locked(folder: Path, progress: Progress | None = None) -> Iterator[None]:
    """Hold the one lock of ``folder`` (made if missing), waiting for any other process.

    Sweeps away what killed processes left in it. Raises SourceError where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(str(folder / ".lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if progress:
                progress(f"waiting for another process that works in {folder}")
            lock.acquire()
    except OSError as error:
        raise SourceError(
            f"The cache folder {folder} cannot be written: {error.strerror or error}. "
            "Set HARNESS_CACHE to a folder that can."
        ) from error
    try:
        for stale in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield
    finally:
        lock.release()


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``final`` if the block succeeds, and nothing if not.

    Call it under ``locked(final.parent)``. Raises SourceError where the disk is full.
    """
    temporary = final.parent / f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        temporary.mkdir()
        yield temporary
        os.rename(temporary, final)
    except OSError as error:
        raise SourceError(
            f"{final} could not be written: {error.strerror or error}. "
            "Free some space, or set HARNESS_CACHE to another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
