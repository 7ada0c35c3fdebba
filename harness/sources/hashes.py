"""Content hashes of large files, remembered between processes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from harness import fingerprints
from harness.sources.folders import UNFINISHED, cache_dir

# A file changed twice within one tick of the file system's clock keeps its time stamps; git
# calls this "racily clean". A file this young is hashed again instead of being remembered.
_YOUNG_S = 2.0


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read again only when size, times or inode have changed.

    The memory is a file in the cache folder; where that cannot be written there is none.
    """
    before = _state(path)
    memory = cache_dir() / "hashes" / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    try:
        known = json.loads(memory.read_text("utf-8"))
        if known["state"] == before:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = fingerprints.of_file(path)
    changed = max(before[1], before[2]) / 1e9
    if _state(path) == before and time.time() - changed > _YOUNG_S:
        _remember(memory, {"path": os.fspath(path), "state": before, "sha256": digest})
    return digest


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _remember(memory: Path, content: dict[str, object]) -> None:
    temporary = memory.with_name(f"{UNFINISHED}{memory.name}-{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content), "utf-8")
        os.replace(temporary, memory)
    except OSError:
        temporary.unlink(missing_ok=True)
