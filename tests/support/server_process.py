"""Runs `nextchar serve` in a process of its own, which can be killed and started again on the same port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port

_SERVE = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve"]
_PLACES = ["--grpc-port", "0", "--metrics-port", "0", "--engine-threads", "1"]


class ServerProcess:
    """Controls one server; `url` stays the same however often it is started."""

    def __init__(self, models: Path, arguments: list[str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [*_SERVE, *_PLACES, "--http-port", str(port), "--models", str(models), *arguments]
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert process.stdout is not None
        while not re.search(r"REST +http", process.stdout.readline()):
            assert process.poll() is None
        return process

    def start(self) -> None:
        self.process = self._started()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends a signal that ends it; returns its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def server_processes(count: int, models: Path, arguments: list[str]) -> Iterator[list[ServerProcess]]:
    servers: list[ServerProcess] = []
    try:
        for _ in range(count):
            servers.append(ServerProcess(models, arguments))  # noqa: PERF401 # each ends, if the next cannot start
        yield servers
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.end()
