"""How many cores there are for us."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def num_cores(cgroup: Path = _CGROUP) -> int:
    """The cores this process may run on: those it is bound to, and no more than its container's share.

    A container with a limit of two sees all cores of its machine; a thread for each would be stopped for
    most of the time.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return bound if share is None else max(1, min(bound, int(share)))


def _share(cgroup: Path) -> float | None:
    """Cores of the container's CPU limit, of either version of cgroups; None without one."""
    try:
        if (both := cgroup / "cpu.max").exists():
            quota, period = both.read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such limit here; v2 says "max"
        return None
