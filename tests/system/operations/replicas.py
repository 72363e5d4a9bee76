"""Replicas as processes, and what a Deployment does to them: surge, probe, preStop, SIGTERM, grace."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from chart_numbers import ChartNumbers
from proxy import SERVED_BY, Proxy, haproxy
from support.live_server import TLS
from support.server_process import ServerProcess
from support.waiting import until

# How long after a pod's end began the proxies of a cluster still send it calls.
_ENDPOINT_LAG_SECONDS = 1.0
_LONG = {"model": "tiny", "prompt": "", "max_tokens": 4000, "stream": True, "logprobs": 20}
_MAX_TRIES = 100


@dataclass(frozen=True)
class Kill:
    """Records the replica that was killed, and when; until its removal, new calls came to it (monotonic)."""

    replica: str
    killed: float
    removed: float


class Replica:
    """Controls one server process in a slot of the proxy, which is ready when a probe says so."""

    def __init__(self, slot: int, server: ServerProcess) -> None:
        self.slot, self.server = slot, server

    def is_ready(self) -> bool:
        """Returns what a probe finds."""
        try:
            return httpx.get(f"{self.server.url}/v2/health/ready", timeout=3, verify=TLS).is_success
        except httpx.TransportError:
            return False


class Deployment:
    """Runs replicas behind a proxy, by the chart's numbers."""

    def __init__(self, proxy: Proxy, servers: list[ServerProcess], numbers: ChartNumbers) -> None:
        self._proxy, self._servers, self._numbers = proxy, servers, numbers
        self.replicas: list[Replica] = []
        self.stop_seconds: list[float] = []

    def scale_up(self, count: int) -> None:
        """Starts several replicas at once."""
        for replica in [self._new() for _ in range(count)]:
            self._admit(replica)

    def replace_oldest(self, go_on: Callable[[], None]) -> None:
        """Replaces a replica (maxSurge 1, maxUnavailable 0): a new one is ready before it is told to go."""
        self._admit(self._new())
        self._delete(self.replicas.pop(0), go_on)

    def kill_oldest(self) -> Kill:
        """Kills a replica that has a call, and starts it again as a kubelet does.

        It is stopped first, so that a call that has come to it is still there.
        """
        replica = self.replicas.pop(0)
        self.replicas.append(replica)
        replica.server.send(signal.SIGSTOP)
        until(lambda: self._proxy.num_calls(replica.slot) > 0)
        killed = time.monotonic()
        replica.server.end()
        self._proxy.remove(replica.slot)
        removed = time.monotonic()
        replica.server.launch()
        self._admit(replica)
        return Kill(f"s{replica.slot}", killed, removed)

    def _new(self) -> Replica:
        taken = {replica.slot for replica in self.replicas}
        slot = next(slot for slot in range(len(self._servers)) if slot not in taken)
        self._servers[slot].launch()
        self.replicas.append(Replica(slot, self._servers[slot]))
        return self.replicas[-1]

    def _admit(self, replica: Replica) -> None:
        """Probes until it is ready; then it is an endpoint."""
        until(replica.server.has_started)
        until(replica.is_ready)
        self._proxy.add(replica.slot)

    def _delete(self, replica: Replica, go_on: Callable[[], None]) -> None:
        """Ends a replica: what the numbers put first comes first, and the clients go on before each of them.

        A long call that it had before is answered to its end.
        """
        started = time.monotonic()
        events = [
            (_ENDPOINT_LAG_SECONDS, lambda: self._proxy.remove(replica.slot)),
            (self._numbers.pre_stop, lambda: replica.server.send(signal.SIGTERM)),
        ]
        with self._long_call(replica) as answer:
            for _, happens in sorted(events, key=lambda event: event[0]):
                go_on()
                happens()
            assert answer.read().endswith(b"data: [DONE]\n\n")
        assert replica.server.ended(self._numbers.grace - self._numbers.pre_stop) == 0
        self.stop_seconds.append(time.monotonic() - started)

    @contextmanager
    def _long_call(self, replica: Replica) -> Iterator[httpx.Response]:
        """Makes long calls until one is answered by this replica; the caller reads it."""
        with httpx.Client(timeout=60, verify=TLS) as client:
            for _ in range(_MAX_TRIES):
                with client.stream("POST", f"{self._proxy.url}/v1/completions", json=_LONG) as answer:
                    assert answer.is_success
                    if answer.headers[SERVED_BY] == f"s{replica.slot}":
                        yield answer
                        return
        raise AssertionError(f"no call came to replica s{replica.slot}")


@contextmanager
def deployment(
    folder: Path, models: Path, store: str, numbers: ChartNumbers, num_slots: int
) -> Iterator[tuple[Proxy, Deployment]]:
    """Runs a proxy with places for replicas, none of which is taken."""
    arguments = ["--session-store", store, "--state-key", "k" * 32, "--send-timeout-seconds", "600"]
    arguments += ["--shutdown-timeout-seconds", str(numbers.shutdown_timeout)]
    servers = [ServerProcess(models, *arguments) for _ in range(num_slots)]
    try:
        with haproxy(folder, [urlsplit(server.url).port or 0 for server in servers]) as proxy:
            yield proxy, Deployment(proxy, servers, numbers)
    finally:
        for server in servers:
            server.close()
