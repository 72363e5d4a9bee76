"""A real HAProxy in front of replicas that come and go, as a Service is in front of pods."""

import csv
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port
from support.tools import debian_program
from support.waiting import until

# No health check of its own and no affinity: who is an endpoint is told from outside, as in Kubernetes, and
# every call may come to another replica. One that is refused is tried elsewhere: nothing was sent on it. Each
# answer, and each error that the proxy answers with itself, names the replica that had the call. A call has a
# connection of its own: after the first, the proxy tells no errors of replicas but closes the connection.
SERVED_BY = "X-Served-By"
_BUFFER_BYTES = 65_536  # a long answer that a client does not read stays at the replica
_CONFIG = """
global
    stats socket {socket} level admin
    maxconn 500
    tune.rcvbuf.server {buffer_bytes}
    tune.sndbuf.client {buffer_bytes}
defaults
    mode http
    option httpclose
    option redispatch 1
    retries 3
    timeout connect 2s
    timeout client 600s
    timeout server 600s
frontend service
    bind 127.0.0.1:{port}
    http-after-response set-header {header} %s
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
        self.file.write_text(
            _CONFIG.format(
                header=SERVED_BY,
                buffer_bytes=_BUFFER_BYTES,
                socket=self._socket,
                port=self.port,
                servers=servers,
            )
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, slot: int) -> None:
        """New calls may come to this replica."""
        self._say(f"set server pods/s{slot} state ready")

    def remove(self, slot: int) -> None:
        """No new call comes to it; what runs there goes on."""
        self._say(f"set server pods/s{slot} state drain")

    def num_calls(self, slot: int) -> int:
        """Returns how many calls this replica has, begun and not ended."""
        rows = csv.DictReader(self._ask("show stat pods -1 -1").lstrip("# ").splitlines())
        (row,) = [row for row in rows if row["svname"] == f"s{slot}"]
        return int(row["scur"])

    def _say(self, command: str) -> None:
        answer = self._ask(command).strip()
        assert not answer, answer

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin, admin.makefile("r") as answer:
            admin.connect(str(self._socket))
            admin.sendall(command.encode() + b"\n")
            return answer.read()

    def up(self, process: subprocess.Popen[bytes]) -> None:
        def is_up() -> bool:
            assert process.poll() is None
            return self._socket.exists()

        until(is_up)


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
