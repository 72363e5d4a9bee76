"""Gives free memory back to the machine, and bounds how long threads that wait keep its cores busy."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable

SPIN_COUNT = 1000  # rounds of libgomp's waiting loop, some tens of microseconds
_SAYS_HOW_TO_WAIT = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
# Numbers of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM_BYTES = 1 << 20
_MMAP_BYTES = 512 * 1024  # what an engine allocates in each step is smaller
_TRIM_SECONDS = 10.0


def bound_spinning() -> None:
    """Bounds how long a waiting thread of OpenMP keeps its core busy, unless the environment says it already.

    By default a thread of GNU's libgomp spins for some milliseconds at each barrier. Beside another busy
    process it thus takes the core from the very thread that it waits for; without any spinning, waking it
    costs more than the work of a small product takes (`python -m benchmarks threads`). The library reads the
    environment once, when torch is imported, so this must come before.
    """
    if not _SAYS_HOW_TO_WAIT & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)


def give_freed_memory_back() -> bool:
    """Fixes from which size on a block is mapped by itself, so that freeing it unmaps it.

    glibc raises that size to up to 32 MiB when such a block is freed. From then on the lists of a large
    request are parts of the heap, which cannot shrink past any small block that was allocated after them.

    Returns:
        Whether it did; other systems and C libraries have no such habit.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _TRIM_BYTES))


async def keep_trimmed() -> None:
    """Gives back what lies free between blocks in use, every few seconds, in a thread.

    Freed blocks that are too small to be mapped by themselves stay in the heap of the thread that had them.
    """
    while await asyncio.to_thread(trim):
        await asyncio.sleep(_TRIM_SECONDS)


def trim() -> bool:
    """Gives back all free pages of all heaps; returns whether the C library can."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is None:
        return False
    malloc_trim(0)
    return True


def _of_glibc(name: str) -> Callable[..., int] | None:
    """Returns a function of glibc; None on other systems and with other C libraries."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
