"""Counts the cores that this process may use, and gives free memory back to the machine."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
# Numbers of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM_BYTES = 1 << 20
_MMAP_BYTES = 512 * 1024  # what an engine allocates in each step is smaller
_TRIM_SECONDS = 10.0


def num_cores(cgroup: Path = _CGROUP) -> int:
    """Returns the cores this process is bound to, or its container's CPU limit if that is lower.

    A container with a limit of two sees all cores of its machine; with a thread per core each thread would
    be throttled most of the time.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return bound if share is None else max(1, min(bound, int(share)))


def _share(cgroup: Path) -> float | None:
    """Returns the container's CPU limit in cores, from cgroups version 1 or 2; None without a limit."""
    try:
        if (both := cgroup / "cpu.max").exists():
            quota, period = both.read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such limit here; v2 says "max"
        return None


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
