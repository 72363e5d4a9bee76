"""Runs a process in a memory cgroup, as a container with a memory limit does; as root, on Linux."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class MemoryCgroup:
    """Holds one cgroup of either version."""

    def __init__(self, folder: Path, *, is_v2: bool) -> None:
        self._folder, self._is_v2 = folder, is_v2

    def enter(self) -> None:
        """Puts the calling process into the cgroup; its children are born there."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def num_kills(self) -> int:
        """The number of processes that the kernel has killed because the limit was reached."""
        name = "memory.events" if self._is_v2 else "memory.oom_control"
        found = re.search(r"^oom_kill (\d+)", (self._folder / name).read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def max_bytes(self) -> int:
        """The most memory that the cgroup has had, the page cache included."""
        name = "memory.peak" if self._is_v2 else "memory.max_usage_in_bytes"
        return int((self._folder / name).read_text())


@contextmanager
def memory_cgroup(limit_bytes: int) -> Iterator[MemoryCgroup]:
    """Makes a cgroup below this process's own, and removes it once its processes have ended.

    Raises:
        OSError: this process may not make cgroups.
    """
    own = {
        parts[1]: parts[2]
        for line in Path("/proc/self/cgroup").read_text().split("\n")
        if len(parts := line.split(":", 2)) == 3
    }
    is_v2 = "memory" not in own
    base = _ROOT / own[""].lstrip("/") if is_v2 else _ROOT / "memory" / own["memory"].lstrip("/")
    folder = base / f"nextchar-drill-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).write_text(str(limit_bytes))
        yield MemoryCgroup(folder, is_v2=is_v2)
    finally:
        folder.rmdir()
