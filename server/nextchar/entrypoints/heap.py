"""Makes the C library give the memory of large lists back to the system when they are freed."""

import ctypes
import sys

# Numbers of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM_BYTES = 1 << 20
_MMAP_BYTES = 512 * 1024  # what an engine allocates in each step is smaller


def give_freed_memory_back() -> bool:
    """Fixes from which size on a block is mapped by itself, so that freeing it unmaps it.

    glibc raises that size to up to 32 MiB when such a block is freed. From then on the lists of a large
    request are parts of the heap, which cannot shrink past any small block that was allocated after them.

    Returns:
        Whether it did; other systems and C libraries have no such habit.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _TRIM_BYTES))
