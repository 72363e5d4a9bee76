"""Sets glibc's allocator to keep the memory that a step frees for the next step.

By default blocks of tens of MiB (a layer's workspace, its gradients) come from the kernel and return to it
at every step, and the kernel fills each page with zeros again (figures: docs/quality.md).
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_KEPT_BYTES = 2**30


def keep_freed_memory() -> bool:
    """Keeps freed blocks of up to 1 GiB in this process; returns False if the C library cannot."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD)
    return all(mallopt(option, _LARGEST_KEPT_BYTES) for option in options)
