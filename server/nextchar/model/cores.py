"""Counts the processor cores that this process may use, for serving and for training."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def num_cores(cgroup: Path = _CGROUP) -> int:
    """Returns the cores this process is bound to, or its container's CPU limit if that is lower.

    A container with a limit of two sees all cores of its machine; with a thread per core each thread would
    be throttled most of the time.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cpu_limit(cgroup)
    return bound if limit is None else max(1, min(bound, int(limit)))


def cpu_limit(cgroup: Path = _CGROUP) -> float | None:
    """Returns the container's CPU limit in cores, from cgroups version 1 or 2; None without one."""
    try:
        if (both := cgroup / "cpu.max").exists():
            quota, period = both.read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such limit here; v2 says "max"
        return None
