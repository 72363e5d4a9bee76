"""Replicas as processes, and what a Deployment does to them: surge, probe, preStop, SIGTERM, grace."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from chart_numbers import ChartNumbers
from proxy import Proxy
from support.ports import free_port

_SERVE = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve"]
_PLACES = ["--grpc-port", "0", "--metrics-port", "0", "--engine-threads", "1"]
# How long after a pod's end began the proxies still send it calls.
_ENDPOINT_LAG_SECONDS = 1.0


@contextmanager
def serving_process(
    models: Path, *arguments: str, stderr: int = subprocess.DEVNULL
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """One server process that is ready, and its address."""
    port = free_port()
    command = [*_SERVE, *_PLACES, "--http-port", str(port), "--models", str(models), *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment)
    try:
        until, url = time.monotonic() + 30, f"http://127.0.0.1:{port}"
        while not _is_ready(url):
            assert process.poll() is None
            assert time.monotonic() < until
        yield process, url
    finally:
        process.kill()
        process.communicate(timeout=30)


def _is_ready(url: str) -> bool:
    """One probe."""
    try:
        return httpx.get(f"{url}/v2/health/ready", timeout=3).is_success
    except httpx.TransportError:
        return False


class Replica:
    """One server process in a slot of the proxy."""

    def __init__(self, slot: int, port: int, arguments: list[str]) -> None:
        self.slot, self._port = slot, port
        self._command = [*_SERVE, *_PLACES, "--http-port", str(port), *arguments]
        self.start()

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )

    def is_ready(self) -> bool:
        """One probe."""
        assert self.process.poll() is None
        return _is_ready(f"http://127.0.0.1:{self._port}")


class Deployment:
    """Replicas behind a proxy, by the chart's numbers."""

    def __init__(self, proxy: Proxy, ports: list[int], arguments: list[str], numbers: ChartNumbers) -> None:
        self._proxy, self._ports, self._numbers = proxy, ports, numbers
        self._arguments = [*arguments, "--shutdown-timeout-seconds", str(numbers.shutdown_timeout)]
        self.replicas: list[Replica] = []
        self.stop_seconds: list[float] = []

    def scale_up(self, count: int) -> None:
        """Several at once."""
        made = [self._new() for _ in range(count)]
        for replica in made:
            self._admit(replica, self._numbers.startup_period)

    def replace_oldest(self) -> None:
        """maxSurge 1, maxUnavailable 0: a new replica is ready before an old one is told to go."""
        self._admit(self._new(), self._numbers.startup_period)
        old = self.replicas.pop(0)
        self._delete(old)

    def kill_oldest(self) -> float:
        """SIGKILL; as a kubelet does, start the container again. When it was killed, monotonic."""
        replica = self.replicas.pop(0)
        self.replicas.append(replica)
        replica.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        replica.process.wait(30)
        self._proxy.remove(replica.slot)
        replica.start()
        self._admit(replica, self._numbers.startup_period)
        return killed

    def _new(self) -> Replica:
        taken = {replica.slot for replica in self.replicas}
        slot = next(slot for slot in range(len(self._ports)) if slot not in taken)
        replica = Replica(slot, self._ports[slot], self._arguments)
        self.replicas.append(replica)
        return replica

    def _admit(self, replica: Replica, period: float) -> None:
        """Probe until it is ready; then it is an endpoint."""
        until = time.monotonic() + 60
        while not replica.is_ready():
            assert time.monotonic() < until
            time.sleep(period)
        self._proxy.add(replica.slot)

    def _delete(self, replica: Replica) -> None:
        """The endpoint goes while preStop waits; then SIGTERM; by the end of the grace it has gone."""
        started = time.monotonic()
        lag = threading.Timer(_ENDPOINT_LAG_SECONDS, self._proxy.remove, (replica.slot,))
        lag.start()
        time.sleep(self._numbers.pre_stop)
        replica.process.send_signal(signal.SIGTERM)
        status = replica.process.wait(self._numbers.grace - self._numbers.pre_stop)
        lag.join()
        assert status == 0
        self.stop_seconds.append(time.monotonic() - started)

    def end(self) -> None:
        for replica in self.replicas:
            replica.process.kill()
            replica.process.wait(30)


@contextmanager
def deployment(
    proxy: Proxy, ports: list[int], models: Path, store: str, numbers: ChartNumbers
) -> Iterator[Deployment]:
    arguments = ["--models", str(models), "--session-store", store, "--state-key", "k" * 32]
    made = Deployment(proxy, ports, arguments, numbers)
    try:
        yield made
    finally:
        made.end()
