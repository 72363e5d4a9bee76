"""Runs a server as a process of its own, and observes it from outside."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

_ROOT = Path(__file__).parents[2]
_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
_COMMAND = [
    sys.executable,
    "-c",
    "from nextchar.entrypoints.main import main; main(prog_name='nextchar')",
    "serve",
]
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class ServerProcess:
    """Describes a server: its ports and its process id."""

    pid: int
    port: int
    grpc_port: int
    metrics_url: str

    @property
    def is_alive(self) -> bool:
        """Whether the process runs; one that was killed has no memory left."""
        return bool(Path(f"/proc/{self.pid}/cmdline").read_bytes())

    @property
    def num_files(self) -> int:
        """The number of its open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def memory_bytes(self) -> int:
        """The bytes of its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float:
        """Returns the sum of a metric's series."""
        with urlopen(self.metrics_url, timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    @property
    def num_at_work(self) -> float:
        """The number of requests in progress and strings that wait."""
        return self.metric("nextchar_requests_in_progress") + self.metric("nextchar_queue_depth")


@contextmanager
def served(models: Path, *arguments: str, enter: Callable[[], None] | None = None) -> Iterator[ServerProcess]:
    """Runs a server of a folder of models for as long as the context lasts; `enter` is called in it first."""
    paths = f"{_ROOT / 'server'}{os.pathsep}{_ROOT / 'training'}"
    process = subprocess.Popen(
        [*_COMMAND, *_PORTS, "--models", str(models), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=enter,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths},
    )
    assert process.stdout is not None
    try:
        greeting = ""
        while "Try:" not in greeting:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the server ended before it was ready")
            greeting += line
        found = re.search(r"REST +\S+?:(\d+) .*gRPC +\S+:(\d+)\s+metrics +(\S+)", greeting, re.DOTALL)
        assert found is not None, greeting
        yield ServerProcess(process.pid, int(found[1]), int(found[2]), found[3])
    finally:
        process.kill()
        process.communicate()


def settles(done: Callable[[], bool], seconds: float) -> bool:
    """Returns whether a condition becomes true within a time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
