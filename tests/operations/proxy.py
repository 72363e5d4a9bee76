"""A real HAProxy in front of replicas that come and go, as a Service is in front of pods."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port
from support.tools import debian_program

# No health check of its own and no affinity: who is an endpoint is told from outside, as in Kubernetes, and
# every call may come to another replica. One that is refused is tried elsewhere: nothing was sent on it.
_CONFIG = """
global
    stats socket {socket} level admin
    maxconn 500
defaults
    mode http
    option http-server-close
    option redispatch 1
    retries 3
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend service
    bind 127.0.0.1:{port}
    default_backend pods
backend pods
    balance roundrobin
{servers}
"""


class Proxy:
    """`slots` are the places a replica may take; none is an endpoint at first."""

    def __init__(self, folder: Path, slots: list[int]) -> None:
        self.port = free_port()
        self._socket = folder / "haproxy.sock"
        self.file = folder / "haproxy.cfg"
        servers = "\n".join(f"    server s{i} 127.0.0.1:{port} disabled" for i, port in enumerate(slots))
        self.file.write_text(_CONFIG.format(socket=self._socket, port=self.port, servers=servers))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, slot: int) -> None:
        """New calls may come to this replica."""
        self._say(f"set server pods/s{slot} state ready")

    def remove(self, slot: int) -> None:
        """No new call comes to it; what runs there goes on."""
        self._say(f"set server pods/s{slot} state drain")

    def _say(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._socket))
            admin.sendall(command.encode() + b"\n")
            answer = admin.recv(4096).strip()
        assert not answer, answer

    def up(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 20
        while not self._socket.exists():
            assert process.poll() is None
            assert time.monotonic() < until


@contextmanager
def haproxy(folder: Path, slots: list[int]) -> Iterator[Proxy]:
    proxy = Proxy(folder, slots)
    program = debian_program("haproxy", "haproxy")
    process = subprocess.Popen([program, "-db", "-q", "-f", proxy.file], stderr=subprocess.DEVNULL)
    try:
        proxy.up(process)
        yield proxy
    finally:
        process.kill()
        process.wait(30)
