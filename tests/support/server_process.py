"""Runs `nextchar serve` in a process of its own, which can be killed and started again on the same port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from support.ports import free_port
from support.waiting import until

_SERVE = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve"]
_PLACES = ["--grpc-port", "0", "--metrics-port", "0", "--engine-threads", "1"]
_GREETING = re.compile(r"REST +http.*gRPC +(\S+)\n.*metrics +(\S+)\n", re.DOTALL)
_END_SECONDS = 60


class ServerProcess:
    """Controls one server; `url` stays the same however often it is started, the other addresses do not.

    What it writes goes into files without a name: a pipe that nobody reads would block the server.
    """

    def __init__(self, models: Path, *arguments: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [*_SERVE, *_PLACES, "--http-port", str(port), "--models", str(models), *arguments]
        self._output, self._errors = TemporaryFile(), TemporaryFile()  # noqa: SIM115 # see close
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Starts the process; it may not answer yet."""
        assert self._process is None
        for file in (self._output, self._errors):
            file.seek(0)
            file.truncate()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            self._command, stdout=self._output, stderr=self._errors, env=environment
        )

    def start(self) -> None:
        """Starts the process; returns when it answers."""
        self.launch()
        until(self.has_started)

    def has_started(self) -> bool:
        """Returns whether it has told its addresses, which it does when it is ready."""
        assert self._running.poll() is None, self.log
        return _GREETING.search(_content(self._output)) is not None

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def grpc_address(self) -> str:
        return self._address(1)

    @property
    def metrics_url(self) -> str:
        return self._address(2)

    def _address(self, group: int) -> str:
        found = _GREETING.search(_content(self._output))
        assert found is not None
        return found[group]

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def resident_bytes(self) -> int:
        """The memory that it holds now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def log(self) -> str:
        """What it has written to its standard error since it was started."""
        return _content(self._errors)

    def send(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def ended(self, seconds: float = _END_SECONDS) -> int:
        """Waits until it has ended; returns its exit status."""
        status = self._running.wait(seconds)
        self._process = None
        return status

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends a signal that ends it; returns its exit status."""
        self.send(number)
        return self.ended()

    def close(self) -> None:
        """Ends it if it runs, and forgets what it wrote."""
        if self._process is not None:
            self.end()
        self._output.close()
        self._errors.close()


def _content(file: IO[bytes]) -> str:
    """Returns what is in a file, without moving the place where its process writes."""
    return os.pread(file.fileno(), 2**20, 0).decode()


@contextmanager
def server_process(models: Path, *arguments: str) -> Iterator[ServerProcess]:
    """Runs one server for as long as the context lasts."""
    server = ServerProcess(models, *arguments)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def server_processes(count: int, models: Path, *arguments: str) -> Iterator[list[ServerProcess]]:
    """Runs several servers, which start at the same time."""
    servers = [ServerProcess(models, *arguments) for _ in range(count)]
    try:
        for server in servers:
            server.launch()
        for server in servers:
            until(server.has_started)
        yield servers
    finally:
        for server in servers:
            server.close()
