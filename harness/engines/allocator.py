"""Memory that is freed stays with the process, for the next pass.

glibc gives large blocks back to the system, which hands them out again page by page, each cleared:
a fifth of a pass on a CPU. Other allocators (jemalloc, tcmalloc) have to be there when a process
starts; these settings do not.
"""

from __future__ import annotations

import ctypes
import os

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Numbers of malloc.h."""
BLOCK = 32 << 20
"""Bytes from which a block is mapped by itself; glibc's greatest."""
KEPT = (1 << 31) - 1
"""Bytes at the heap's end from which they are given back; an int's greatest."""
PAD = 64 << 20
"""Bytes asked for at a time."""
SAID = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed() -> bool:
    """Whether the C library was told; not where it is no glibc, or the user chose otherwise."""
    if any(os.environ.get(name) for name in SAID):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version()
        told = library.mallopt
    except (OSError, AttributeError, TypeError):
        return False
    options = ((M_MMAP_THRESHOLD, BLOCK), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, PAD))
    return all(told(option, value) == 1 for option, value in options)
